# A static binary and nothing else: no shell, no package manager, no root. It writes to /data alone, and to /erasures where that is
# named, so the root filesystem may be read-only:
#
#   docker run --read-only -v llave:/data -v erasures:/erasures -e LLAVE_ERASURE_LOG=/erasures/log -p 8080:8080 --env-file .env llave
#
# The log of erasures is not inside /data, since a backup of that which is put back would forget them.
#
# The admin listener (metrics, health) listens on every address inside the container, or nobody outside could ask it: publish it
# where your monitoring is and nowhere else, -p 127.0.0.1:9090:9090. On the host's own network set LLAVE_ADMIN_ADDR=127.0.0.1:9090.
#
# For another processor, or both: docker buildx build --platform linux/amd64,linux/arm64 . It is compiled on this one for that one.
# A tag may be given another image tomorrow. Who wants to know names the digest: docker buildx imagetools inspect golang:1.26 has it.
ARG GO_IMAGE=golang:1.26
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# What `llave version` says: git is not in the build.
ARG VERSION=dev
ARG COMMIT
ARG DATE
ARG TARGETARCH
# Time zones are part of the binary; certificates of the outside come from this image.
RUN CGO_ENABLED=0 GOOS=linux GOARCH=${TARGETARCH} go build -trimpath -ldflags "-s -w -X llave/internal/app.Version=${VERSION} -X llave/internal/app.Commit=${COMMIT} -X llave/internal/app.Date=${DATE}" -o /out/llave ./cmd/llave \
 && mkdir /out/data /out/erasures

FROM scratch
ARG VERSION=dev
ARG COMMIT
ARG DATE
LABEL org.opencontainers.image.title="llave" \
      org.opencontainers.image.description="Chatbot that unlocks the access key of a member of IESS" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.created="${DATE}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/llave /llave
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/erasures /erasures
USER 65532:65532
ENV LLAVE_DATA_DIR=/data LLAVE_ADMIN_ADDR=:9090
VOLUME /data
EXPOSE 8080 9090
# Degraded is healthy: what people write is answered. Unhealthy is a process without its store, or none.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["/llave", "health"]
ENTRYPOINT ["/llave"]
CMD ["serve"]
