#!/bin/bash
# Makes a release of the last commit on this machine, as the workflow does, and takes it in each way that the README says:
# the file by its checksum in a Dockerfile, the image from a registry by its digest, the packages, and go install. What
# cannot be had here is GitHub: no release is published, and its provenance is not made. make release-check runs it.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
tools=$(test/release/tools.sh)
config=$(test/compose/build.sh)
if [ -n "$config" ]; then export DOCKER_CONFIG=$config; fi

work=$(mktemp -d)
name=secret-entrypoint-release-$$
servers=()
images=()
clear() {
	docker buildx rm "$name" >/dev/null 2>&1 || true
	if [ ${#images[@]} -gt 0 ]; then docker image rm -f "${images[@]}" >/dev/null 2>&1 || true; fi
	if [ ${#servers[@]} -gt 0 ]; then kill "${servers[@]}" 2>/dev/null || true; fi
	wait
	chmod -R u+w "$work"
	rm -rf "$work"
}
trap clear EXIT
trap 'exit 130' INT TERM HUP

say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
until_up() { for _ in $(seq 300); do if curl -fsS "$1" >/dev/null 2>&1; then return; fi; sleep 0.1; done; fail "$1 does not answer"; }

say "a clone of the last commit, one that sets the version, and goreleaser"
git clone -q . "$work/clone"
cd "$work/clone"
version=$(sed -n 's/^var version = "\([0-9.]*\).*"$/\1/p' cmd/secret-entrypoint/main.go)
sed -i "s/^var version = .*/var version = \"$version\"/" cmd/*/main.go
git -c user.name=release -c user.email=release@example.com commit -qam "Release $version" --allow-empty
git tag --force "v$version"
PATH=$tools:$PATH GORELEASER_CURRENT_TAG=v$version goreleaser release --clean --skip=publish,announce

say "each file has its sum, and each platform its file"
# As they are uploaded: each by its name, beside each other.
files=$work/files
mkdir "$files"
python3 - "$files" <<-'END'
	import json, shutil, sys
	for artifact in json.load(open("dist/artifacts.json")):
	    if artifact["type"] in ("Binary", "Linux Package", "SBOM", "Checksum") and artifact["name"] not in ("secret-entrypoint", "secret-rotate"):
	        shutil.copy(artifact["path"], f"{sys.argv[1]}/{artifact['name']}")
END
cp man/*.1 LICENSE "$files/"
for command in secret-entrypoint secret-rotate; do cp cmd/$command/licenses.txt "$files/$command-licenses.txt"; done
cd "$files"
sha256sum --check --strict --quiet SHA256SUMS
# platforms VARIABLE: what the Makefile builds for, as files are named: linux/arm/7 is linux-armv7.
platforms() { sed -n "s/^$1 := //p" "$root/Makefile" | tr ' ' '\n' | sed 's|/|-|; s|/|v|'; }
for platform in $(platforms PLATFORMS); do
	file=secret-entrypoint-$platform
	grep -q " $file$" SHA256SUMS || fail "no $file"
	[ -s "$file.sbom.json" ] || fail "no list of what is in $file"
	grep -q '"golang.org/x/sys"' "$file.sbom.json" || fail "$file.sbom.json does not name x/sys"
done
for platform in $(platforms ROTATE_PLATFORMS); do
	grep -q " secret-rotate-$platform$" SHA256SUMS || fail "no secret-rotate for $platform"
done
for file in secret-entrypoint.1 secret-rotate.1 LICENSE secret-entrypoint-licenses.txt secret-rotate-licenses.txt; do
	grep -q " $file$" SHA256SUMS || fail "SHA256SUMS lacks $file"
done

say "the binary and the packages, in containers"
host=linux-$(go env GOARCH)
run() { docker run --rm -v "$files:/files:ro" debian:12-slim "$@"; }
[ "$(run "/files/secret-entrypoint-$host" --version | cut -d' ' -f1-2)" = "secret-entrypoint $version" ] || fail "--version"
run "/files/secret-entrypoint-$host" --licenses | grep -q 'Redistributions in binary form' || fail "--licenses"
# shellcheck disable=SC2016 # it is for the shell in the container
run sh -euc 'dpkg -i /files/secret-rotate_*_'"$(go env GOARCH)"'.deb >/dev/null
	secret-rotate --version
	test -s /usr/share/bash-completion/completions/secret-rotate
	dpkg -r secret-rotate >/dev/null
	! test -e /usr/bin/secret-rotate' || fail "the Debian package"
dpkg-deb -c "$files"/secret-rotate_*_"$(go env GOARCH)".deb | grep -q ./usr/share/man/man1/secret-rotate.1 || fail "no manual page"
# shellcheck disable=SC2016
run sh -euc 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rpm >/dev/null 2>&1
	rpm --root /fedora --initdb
	rpm --root /fedora --nodeps -i /files/secret-rotate-*.'"$(uname -m)"'.rpm
	/fedora/usr/bin/secret-rotate --version
	test -s /fedora/usr/share/man/man1/secret-rotate.1
	rpm --root /fedora -e secret-rotate
	! test -e /fedora/usr/bin/secret-rotate' || fail "the RPM package"

say "go install, from a module proxy that has the release"
module=github.com/secret-entrypoint/secret-entrypoint
proxy=$work/proxy/$module/@v
mkdir -p "$proxy"
# What the proxy makes of a tag: the module without the modules in it.
exclude=()
for file in $(git -C "$work/clone" ls-files '*/go.mod'); do exclude+=(":(exclude)$(dirname "$file")"); done
git -C "$work/clone" archive --prefix="$module@v$version/" -o "$proxy/v$version.zip" "v$version" -- . "${exclude[@]}"
git -C "$work/clone" show "v$version:go.mod" >"$proxy/v$version.mod"
echo "{\"Version\": \"v$version\"}" >"$proxy/v$version.info"
echo "v$version" >"$proxy/list"
for command in secret-entrypoint secret-rotate; do
	(cd "$work" && GOPROXY=file://$work/proxy,$(go env GOPROXY) GONOSUMDB=$module GOMODCACHE=$work/modules GOBIN=$work/bin CGO_ENABLED=0 \
		go install "$module/cmd/$command@latest")
	"$work/bin/$command" --version
	[ "$("$work/bin/$command" --version | cut -d' ' -f2)" = "$version" ] || fail "the version of go install $command"
done

say "a registry, and a current BuildKit"
port=$(free_port)
cat >"$work/registry.yaml" <<-END
	version: 0.1
	log: {level: error}
	storage: {filesystem: {rootdirectory: $work/registry}}
	http: {addr: "127.0.0.1:$port"}
END
OTEL_TRACES_EXPORTER=none "$tools/registry" serve "$work/registry.yaml" >"$work/registry.log" 2>&1 &
servers+=($!)
until_up "http://127.0.0.1:$port/v2/"
registry=127.0.0.1:$port
web=$(free_port)
python3 -m http.server --bind 127.0.0.1 --directory "$files" "$web" >/dev/null 2>&1 &
servers+=($!)
until_up "http://127.0.0.1:$web/SHA256SUMS"

"$tools/buildkitd" --addr "unix://$work/buildkitd.sock" --root "$work/buildkit" >"$work/buildkitd.log" 2>&1 &
servers+=($!)
for _ in $(seq 300); do if [ -S "$work/buildkitd.sock" ]; then break; fi; sleep 0.1; done
docker buildx create --name "$name" --driver remote "unix://$work/buildkitd.sock" --bootstrap >/dev/null || { tail "$work/buildkitd.log"; fail "BuildKit"; }
for image in golang:secret-tests debian:12-slim; do
	docker tag "$image" "$registry/$image"
	images+=("$registry/$image")
	docker push -q "$registry/$image" >/dev/null
done

say "the image for two platforms, with its provenance, pushed; copied from by its digest"
docker buildx build --builder "$name" --progress plain --platform linux/amd64,linux/arm64 --build-arg "BUILD_IMAGE=$registry/golang:secret-tests" \
	--build-arg "VERSION=$version" --provenance mode=max --push -t "$registry/secret-entrypoint:$version" --metadata-file "$work/image.json" \
	"$work/clone" >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; fail "the image"; }
digest=$(sed -n 's/.*"containerimage.digest": "\(sha256:[0-9a-f]*\)".*/\1/p' "$work/image.json")
docker buildx imagetools inspect "$registry/secret-entrypoint@$digest" | grep -E 'Platform: +linux/(amd64|arm64)'

# take LINE: builds an image with a line of the README in it, and starts that.
take() {
	mkdir -p "$work/take"
	printf 'FROM %s/debian:12-slim\n%s\nENTRYPOINT ["/secret-entrypoint"]\n' "$registry" "$1" >"$work/take/Dockerfile"
	docker buildx build --builder "$name" --progress plain --load -t "$name-take" "$work/take" >"$work/take.log" 2>&1 || return 1
	images+=("$name-take")
	[ "$(docker run --rm "$name-take" --version | cut -d' ' -f1-2)" = "secret-entrypoint $version" ]
	# shellcheck disable=SC2016
	[ "$(docker run --rm -e WORD_PASSWORD_FILE=/etc/hostname "$name-take" sh -c 'echo "$$ ${#WORD_PASSWORD}"')" = "1 12" ]
}

# The README's own lines, with what stands for a release in them.
line=$(grep -o 'COPY --from=registry.example/[^`]*' "$root/README.md")
line=${line/registry.example/$registry}
take "${line/sha256:.../$digest}" || { cat "$work/take.log"; fail "COPY --from=REGISTRY@DIGEST"; }

say "the file by its sum"
line=$(grep -o '^ADD --chmod.*' "$root/README.md")
line=${line/https:*\/secret-entrypoint-linux-amd64/http:\/\/127.0.0.1:$web\/secret-entrypoint-$host}
sum=$(sed -n "s/ .*secret-entrypoint-$host\$//p" SHA256SUMS)
take "${line/sha256:.../sha256:$sum}" || { cat "$work/take.log"; fail "ADD --checksum"; }
if take "${line/sha256:.../sha256:${sum//[0-9]/0}}"; then fail "ADD takes a file with another sum"; fi
grep -q 'digest mismatch' "$work/take.log" || { tail -n 5 "$work/take.log"; fail "another message than digest mismatch"; }

say "all of it worked"
