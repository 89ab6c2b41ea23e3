# make help lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null | sed 's/^v//' || true)
VERSION := $(or $(VERSION),$(shell sed -n 's/^var version = "\(.*\)"$$/\1/p' cmd/secret-entrypoint/main.go))

# How a release is built: static, without paths, build id or symbols of this machine. Not
# as PIE, which costs a third of the start-up. Without inlining in our own packages, which takes 3 % of
# the size and no time of the start; functions next to each other, not at multiples of 32 bytes, 2 %, and
# fewer pages to read. The Dockerfile and .goreleaser.yaml do the same.
LDFLAGS  := -s -w -buildid= -funcalign=4 -X main.version=$(VERSION)
GCFLAGS  := github.com/secret-entrypoint/secret-entrypoint/...=-l
GO_BUILD := CGO_ENABLED=0 go build -trimpath -gcflags '$(GCFLAGS)' -ldflags '$(LDFLAGS)'

TOOL     := go tool -modfile=tools.mod
PLATFORMS := linux/amd64 linux/arm64 linux/arm/7 linux/riscv64 linux/s390x linux/ppc64le
# Where operators and CI are.
ROTATE_PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

IMAGE    ?= secret-entrypoint
# Where no registry is reached: make image BUILD_IMAGE=an-image-with-go
BUILD_IMAGE ?= golang:1.26
# The first client that can use BuildKit: one without its buildx plugin cannot.
DOCKER   ?= $(firstword $(shell for d in $$(which -a docker); do DOCKER_BUILDKIT=1 $$d build --help >/dev/null 2>&1 && echo $$d; done) docker)
FUZZTIME ?= 1m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/secret-entrypoint, and bin/secret-rotate, the operator's tool
	@mkdir -p bin
	$(GO_BUILD) -o bin/ ./cmd/secret-entrypoint ./cmd/secret-rotate

.PHONY: man
man: ## write the manual pages, man/*.1, from what --help prints
	go test -count=1 -run TestPagesAreCurrent ./man -update

.PHONY: demo
demo: ## run a small backend behind it, on made-up secrets (needs Go only)
	@echo "Building secret-entrypoint and a small backend. The first time it takes a minute, then seconds."
	@mkdir -p bin
	@$(GO_BUILD) -o bin/ ./cmd/secret-entrypoint
	@go run ./demo bin/secret-entrypoint

.PHONY: test
test: ## run the tests, with the race detector (needs gcc); all of them, also when some fail
	@failed=(); \
	run() { echo "$$*"; "$$@" || failed+=("$$*"); }; \
	: "a hundred runs under strace, which the race detector makes five times as slow; beside the others, for most tests wait"; \
	rotate='go test -timeout 15m ./cmd/secret-rotate' output=$$(mktemp); \
	$$rotate >"$$output" 2>&1 & pid=$$!; \
	trap 'kill $$pid 2>/dev/null || true; wait; rm -f "$$output"' EXIT; \
	trap 'exit 130' INT TERM; \
	run go test -race -timeout 15m $$(go list ./... | grep -v -e /test/e2e -e /cmd/secret-rotate); \
	run go -C bench test -race ./...; \
	run go -C test/dotenv test ./...; \
	echo "$$rotate"; wait $$pid || failed+=("$$rotate"); cat "$$output"; \
	for command in "$${failed[@]}"; do echo "FAILED: $$command"; done; \
	[ "$${#failed[@]}" = 0 ]

# Tests that pass on one machine and fail on another: FLAKE_PACKAGES, FLAKE_COUNT, FLAKE_RUN, FLAKE_WAYS.
.PHONY: flake
flake: ## run the tests of processes again and again: as they are, with slow shells, and on busy cores
	test/flake.sh

# Each case that is killed has a sample of its points in the other tests: KILL_POINTS says which, and a
# failure says with which KILL_SEED to repeat it (cmd/secret-rotate/points_test.go).
KILL_POINTS ?= all

.PHONY: kill
kill: ## kill secret-rotate at each of its system calls, and fail each of its tools (needs strace; takes minutes)
	KILL_POINTS='$(KILL_POINTS)' go test -count=1 -v -timeout 60m -run 'TestKilledAtEverySystemCall|TestFailingAtEverySystemCall|Faults$$' ./cmd/secret-rotate

# A failure says with which INTERLEAVINGS_SEED to repeat it.
INTERLEAVINGS ?= 500

.PHONY: moments
moments: ## have changes, signals, deaths and stops happen at random moments, INTERLEAVINGS (500) times
	INTERLEAVINGS='$(INTERLEAVINGS)' go test -count=1 -v -timeout 60m -run 'TestInterleavings' ./cmd/secret-entrypoint

.PHONY: kubelet
kubelet: ## test against the kubelet's own volume writer (builds for minutes the first time)
	: "built as make cluster builds the kubelet, so that this is built once"; \
	go -C test/kubelet test '-gcflags=all=-l -dwarf=false' -count=1 -v ./...

.PHONY: manifests
manifests: ## check the Kubernetes examples against the real API types (builds for minutes the first time)
	go -C test/manifests vet ./...
	go -C test/manifests test -count=1 ./...

.PHONY: metrics
metrics: ## read what --metrics writes with Prometheus' own parser, and try the alert rules (builds for minutes the first time)
	go -C test/metrics vet ./...
	go -C test/metrics test -count=1 ./...

.PHONY: cluster
cluster: test-images ## run the Kubernetes examples on a node of this machine's own (needs root; builds for a quarter of an hour the first time)
	go -C test/cluster vet ./...
	go -C test/cluster/csi vet .
	go -C test/cluster test -count=1 -v -parallel 2 -timeout 40m .

.PHONY: cluster-shell
cluster-shell: test-images ## a shell with kubectl and that node, which ends with the shell
	go -C test/cluster build -o $(CURDIR)/bin/node ./cmd/node
	cd test/cluster && $(CURDIR)/bin/node shell $(COMMAND)

.PHONY: test-images
test-images: # stand-ins for public images, which take minutes the first time: not in the time of the tests
	test/images/make.sh
	test/images/public.sh
	test/images/servers.sh
	test/compose/build.sh

.PHONY: e2e
e2e: test-images ## test in containers (needs a Docker Engine)
	go test -count=1 -v -timeout 40m -parallel 4 ./test/e2e

.PHONY: e2e-soak
e2e-soak: test-images ## rotate under load for five minutes, and make 1,000 replacements
	E2E_SOAK=5m E2E_REPLACEMENTS=1000 go test -count=1 -v -timeout 60m -parallel 4 -run 'TestRotationUnderLoad|TestReplacements' ./test/e2e

.PHONY: release-check
release-check: test-images ## make a release here, and take it in each way that the README says (builds its tools for a quarter of an hour the first time)
	test/release/check.sh

.PHONY: image
image: ## build the image, FROM scratch with one file
	DOCKER_BUILDKIT=1 $(DOCKER) build --build-arg BUILD_IMAGE=$(BUILD_IMAGE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) -t $(IMAGE) .

.PHONY: bench
bench: build ## measure it beside its neighbours, and write docs/benchmarks.md
	go -C bench run . -install -bin ../bin/secret-entrypoint -out ../docs/benchmarks.md

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (1m)
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
			echo "== $$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "$$package"; \
		done; \
	done
	@echo "== test/dotenv FuzzReaders"
	go -C test/dotenv test -run '^$$' -fuzz '^FuzzReaders$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 1x .

.PHONY: lint
lint: ## check format, vet, staticcheck, workflows, shell scripts, and the build for macOS
	@unformatted=$$($(TOOL) gofumpt -l .); \
		if [ -n "$$unformatted" ]; then echo "not formatted (gofumpt -w): $$unformatted"; exit 1; fi
	go vet ./...
	go -C bench vet ./...
	go -C test/dotenv vet ./...
	$(TOOL) staticcheck ./...
	GOOS=darwin go vet ./inject ./watch ./schema ./demo ./internal/rotate ./cmd/secret-rotate
	$(TOOL) actionlint
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run $$(git ls-files '*.sh'); else echo "shellcheck is not installed: shell scripts not checked"; fi

.PHONY: cross
cross: $(PLATFORMS:%=cross/secret-entrypoint/%) $(ROTATE_PLATFORMS:%=cross/secret-rotate/%) ## build for every platform, into dist/

cross/%:
	@mkdir -p dist
	@IFS=/ read -r command os arch arm <<<"$*"; \
	file="dist/$$command-$$os-$$arch$${arm:+v$$arm}"; \
	GOOS=$$os GOARCH=$$arch GOARM=$$arm $(GO_BUILD) -o "$$file" ./cmd/$$command; \
	ls -l "$$file" | awk '{ print $$5, $$9 }'

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
