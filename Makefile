# make help lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null | sed 's/^v//' || true)
VERSION := $(or $(VERSION),0.1.0-devel)

# How a release is built: static, without paths, build id or symbols of this machine. Not
# as PIE, which costs a third of the start-up. The Dockerfile and .goreleaser.yaml do the same.
LDFLAGS  := -s -w -buildid= -X main.version=$(VERSION)
GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

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
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/secret-entrypoint, and bin/secret-rotate, the operator's tool
	@mkdir -p bin
	$(GO_BUILD) -o bin/ ./cmd/secret-entrypoint ./cmd/secret-rotate

.PHONY: demo
demo: build ## run a small backend behind it, on made-up secrets (needs Go only)
	@go run ./demo bin/secret-entrypoint

.PHONY: test
test: ## run the tests, with the race detector (needs gcc)
	go test -race -timeout 30m $$(go list ./... | grep -v -e /test/e2e -e /cmd/secret-rotate)
	go test -timeout 30m ./cmd/secret-rotate # a thousand runs under strace, which the race detector makes five times as slow
	go -C bench test -race ./...

.PHONY: kubelet
kubelet: ## test against the kubelet's own volume writer (builds for minutes the first time)
	go -C test/kubelet test -race -count=1 -v ./...

.PHONY: manifests
manifests: ## check the Kubernetes examples against the real API types (builds for minutes the first time)
	go -C test/manifests vet ./...
	go -C test/manifests test -count=1 ./...

.PHONY: e2e
e2e: ## test in containers (needs a Docker Engine)
	go test -count=1 -v -timeout 40m ./test/e2e

.PHONY: e2e-soak
e2e-soak: ## rotate under load for five minutes
	E2E_SOAK=5m go test -count=1 -v -timeout 20m -run TestRotationUnderLoad ./test/e2e

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

.PHONY: lint
lint: ## check format, vet, staticcheck, workflows, shell scripts, and the build for macOS
	@unformatted=$$($(TOOL) gofumpt -l .); \
		if [ -n "$$unformatted" ]; then echo "not formatted (gofumpt -w): $$unformatted"; exit 1; fi
	go vet ./...
	go -C bench vet ./...
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
