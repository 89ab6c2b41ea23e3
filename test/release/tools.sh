#!/bin/bash
# Builds the tools that make a release and take it, once, and prints the directory that they are in: goreleaser and syft,
# as the workflow has them; a registry; and BuildKit's daemon, in the version that the buildx of test/compose is made
# for. They are kept in $XDG_CACHE_HOME. It takes some 15 minutes the first time.
set -euo pipefail
cd "$(dirname "$0")"

workflow=../../.github/workflows/release.yml
goreleaser=$(sed -n 's/^ *version: \(v[0-9.]*\)$/\1/p' $workflow)
syft=$(sed -n 's/.*go install github.com\/anchore\/syft\/cmd\/syft@\(v[0-9.]*\)$/\1/p' $workflow)
buildkit=$(sed -n 's/^\tgithub.com\/moby\/buildkit \(v[0-9.]*\).*/\1/p' ../compose/go.mod)
registry=v3.0.0

sum=$(echo "$(go version) $goreleaser $syft $buildkit $registry" | sha256sum | cut -c1-12)
tools=${XDG_CACHE_HOME:-$HOME/.cache}/secret-entrypoint/release-$sum
mkdir -p "$tools"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build FILE PACKAGE VERSION: without inlining and debug information, which are a third of the time. In a module of its
# own, for go install refuses a go.mod that excludes something, as BuildKit's does.
build() {
	if [ -e "$tools/$1" ]; then return; fi
	echo "building $2@$3" >&2
	mkdir "$work/$1"
	(
		cd "$work/$1"
		go mod init tools
		go get "$2@$3"
		CGO_ENABLED=0 go build -gcflags=all=-l -ldflags '-s -w' -o tool "$2"
	) >&2
	mv "$work/$1/tool" "$tools/$1"
}

build goreleaser github.com/goreleaser/goreleaser/v2 "$goreleaser"
build syft github.com/anchore/syft/cmd/syft "$syft"
build registry github.com/distribution/distribution/v3/cmd/registry "$registry"
build buildkitd github.com/moby/buildkit/cmd/buildkitd "$buildkit"
echo "$tools"
