#!/bin/sh
# Makes local stand-ins for the public images that the end-to-end tests build on, from what this
# machine has: so they run where no registry is reached, and never depend on what one serves today. An image
# that is there already is used as it is.
#
#   golang:secret-tests   a busybox root, this machine's Go, and the modules the build needs
#   busybox:secret-tests  a static busybox, for containers that need a shell
set -eu
cd "$(dirname "$0")/../.."

busybox=$(command -v busybox) || { echo "busybox is missing: install busybox-static" >&2; exit 1; }
work=$(mktemp -d)
# Modules are stored read-only.
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

exists() { docker image inspect "$1" >/dev/null 2>&1; }

# root DIR: a directory with a shell.
root() {
	mkdir -p "$1/bin" "$1/etc" "$1/tmp" "$1/root"
	chmod 1777 "$1/tmp"
	cp "$busybox" "$1/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\napp:x:1000:1000::/home/app:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\nnobody:x:65534:\napp:x:1000:\nextra:x:2000:app\n' >"$1/etc/group"
}

if ! exists busybox:secret-tests; then
	root "$work/busybox"
	tar -C "$work/busybox" -c . | docker import -c 'ENV PATH=/bin' -c 'CMD ["sh"]' - busybox:secret-tests >/dev/null
	echo "made busybox:secret-tests"
fi

# Another go.sum needs other modules.
sum=$(sha256sum go.sum | cut -c1-16)
if [ "$(docker image inspect -f '{{index .Config.Labels "go.sum"}}' golang:secret-tests 2>/dev/null)" != "$sum" ]; then
	root "$work/go-root"
	goroot=$(go env GOROOT)
	mkdir -p "$work/go-root/usr/local"
	tar -C "$goroot" -c --exclude=./test --exclude=./.git . | { mkdir "$work/go-root/usr/local/go" && tar -C "$work/go-root/usr/local/go" -x; }
	# The build asks this machine's module proxy for nothing: it finds its modules in the image.
	GOMODCACHE="$work/modules" go mod download
	mkdir "$work/go-root/modules"
	cp -r "$work/modules/cache/download" "$work/go-root/modules/download"
	tar -C "$work/go-root" -c . | docker import \
		-c 'ENV PATH=/usr/local/go/bin:/bin' \
		-c 'ENV GOPROXY=file:///modules/download' -c 'ENV GOTOOLCHAIN=local' -c 'ENV GONOSUMDB=*' -c 'ENV GOFLAGS=-buildvcs=false' \
		-c "LABEL go.sum=$sum" \
		- golang:secret-tests >/dev/null
	echo "made golang:secret-tests"
fi
