#!/bin/sh
# Where the docker command lacks Compose or buildx, as Debian's does: builds the current ones from their Go modules, once,
# and prints the DOCKER_CONFIG with which `docker compose` and `docker buildx` are those. They are kept in $XDG_CACHE_HOME,
# by another name for other versions. It takes some minutes the first time.
set -eu
cd "$(dirname "$0")"
if docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; then exit 0; fi

version() { sed -n "s|^	github.com/docker/$1 v\([0-9.]*\).*|\1|p" go.mod | head -n 1; }
sum=$({ go version; cat go.mod go.sum; } | sha256sum | cut -c1-12)
config=${XDG_CACHE_HOME:-$HOME/.cache}/secret-entrypoint/compose-$sum
mkdir -p "$config/cli-plugins"

# build FILE PACKAGE VARIABLE MODULE: under another name until it is whole. Without inlining and debug information, which
# are a third of the time.
build() {
	[ -e "$config/cli-plugins/$1" ] && return
	echo "building $2" >&2
	CGO_ENABLED=0 go build -mod=readonly -gcflags=all=-l -ldflags "-s -w -X $3=$(version "$4")" -o "$config/cli-plugins/.$1.$$" "$2"
	mv "$config/cli-plugins/.$1.$$" "$config/cli-plugins/$1"
}
build docker-compose github.com/docker/compose/v2/cmd github.com/docker/compose/v2/internal.Version compose/v2
build docker-buildx github.com/docker/buildx/cmd/buildx github.com/docker/buildx/version.Version buildx
echo "$config"
