#!/bin/sh
# Makes local stand-ins for the public images that the examples name, under the same names, so that the examples are
# tested as they stand where no registry is reached. An image that is there already (pulled, say) is used as it is.
#
#   debian:12-slim   Debian's own packages, by mmdebstrap; as in the original, apt-get install works in it
#   postgres:15      PostgreSQL, with an entrypoint in the manner of the official one (postgres/docker-entrypoint.sh)
#   redis:7          Redis
#   nginx:stable     nginx
#
# They carry the label secret-tests.stand-in: docker images -f label=secret-tests.stand-in
set -eu
cd "$(dirname "$0")"

exists() { docker image inspect "$1" >/dev/null 2>&1; }

if ! exists debian:12-slim; then
	command -v mmdebstrap >/dev/null || { echo "mmdebstrap is missing: install it, or pull debian:12-slim" >&2; exit 1; }
	mmdebstrap --quiet --variant=minbase \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		bookworm - | docker import -c 'CMD ["bash"]' -c 'LABEL secret-tests.stand-in=1' - debian:12-slim >/dev/null
	echo "made debian:12-slim"
fi

# stand_in IMAGE DIRECTORY. The Dockerfiles need no BuildKit, and so no particular client.
# What a build says is shown when it fails, in one piece, for three run at the same time.
stand_in() {
	exists "$1" && return
	if ! said=$(DOCKER_BUILDKIT=0 docker build --label secret-tests.stand-in=1 -t "$1" "$2" 2>&1); then
		printf '%s: docker build test/images/%s failed:\n%s\n' "$1" "$2" "$said" >&2
		return 1
	fi
	echo "made $1"
}

# All at once: most of the time goes by waiting for packages.
stand_in postgres:15 postgres &
postgres=$!
stand_in redis:7 redis &
redis=$!
stand_in nginx:stable nginx &
nginx=$!
failed=0
for build in $postgres $redis $nginx; do
	wait "$build" || failed=1
done
exit $failed
