#!/bin/sh
# Makes servers:secret-tests, an image with servers of Debian's packages and a small program for each (servers/), in front
# of which the tests put secret-entrypoint. It is made anew when a file of it has changed, or debian:12-slim, which
# public.sh makes.
set -eu
cd "$(dirname "$0")/servers"

image=servers:secret-tests
sum=$({ docker image inspect -f '{{.Id}}' debian:12-slim; find . -type f | LC_ALL=C sort | xargs sha256sum; } | sha256sum | cut -c1-16)
[ "$(docker image inspect -f '{{index .Config.Labels "servers"}}' $image 2>/dev/null)" != "$sum" ] || exit 0

if ! said=$(DOCKER_BUILDKIT=0 docker build --label servers="$sum" -t $image . 2>&1); then
	printf '%s: docker build test/images/servers failed:\n%s\n' $image "$said" >&2
	exit 1
fi
echo "made $image"
