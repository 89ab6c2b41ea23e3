# The image of secret-entrypoint: FROM scratch, one static file. Three ways to use it:
#
#   COPY --from=secret-entrypoint /secret-entrypoint /secret-entrypoint   in your Dockerfile
#   docker run -v shared:/shared secret-entrypoint --install /shared      as an init container
#   a volume of type image                                                Kubernetes 1.33 and later
#
# Needs BuildKit, which every current Docker has, for the platform arguments. Where no registry is
# reached, BUILD_IMAGE may be any local image with Go. How it is built is the Makefile's GCFLAGS and LDFLAGS.
ARG BUILD_IMAGE=golang:1.26

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY inject inject
COPY internal internal
COPY schema schema
COPY watch watch
COPY cmd/secret-entrypoint cmd/secret-entrypoint
ARG TARGETOS
ARG TARGETARCH
ARG TARGETVARIANT
ARG VERSION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} \
    go build -trimpath -gcflags 'github.com/secret-entrypoint/secret-entrypoint/...=-l' \
    -ldflags "-s -w -buildid= -funcalign=4 ${VERSION:+-X main.version=$VERSION}" -o /secret-entrypoint ./cmd/secret-entrypoint

FROM scratch
ARG VERSION=devel
ARG REVISION=unknown
LABEL org.opencontainers.image.title="secret-entrypoint" \
      org.opencontainers.image.description="Secrets from files into the environment, then exec of the real process" \
      org.opencontainers.image.source="https://github.com/secret-entrypoint/secret-entrypoint" \
      org.opencontainers.image.documentation="https://github.com/secret-entrypoint/secret-entrypoint#readme" \
      org.opencontainers.image.licenses="Apache-2.0 AND BSD-3-Clause" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /secret-entrypoint /secret-entrypoint
ENTRYPOINT ["/secret-entrypoint"]
