# `make` builds, `make test` is what every change has to pass. Nothing here needs more than Go, bash and, for the race
# detector and the browser test, what .ci/deps installs.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X llave/internal/app.Version=$(VERSION)
# Commit and date the go command writes into the program by itself.

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
CYCLONEDX := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
# The database of known vulnerabilities as a module, where a newer one cannot be had: its date is in its name.
VULNDB := golang.org/x/vulndb@v0.0.0-20261105234957-e22db6528018

.PHONY: all build test sweeps lint supply release fuzz bench chaos disclosure flow fmt clean

all: build

# One static binary, bin/llave.
build:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/llave ./cmd/llave

# Everything but what needs a MongoDB server, which runs too when TEST_MONGODB_URI names one. Tests that try very many cases
# of one thing try a part of them, another one each day: their logs (-v) say which, and make sweeps tries all.
# The conversation's own tests and what learns from sentences run without the race detector: one goroutine's work, which it makes
# ten times as slow. It sees their code where processes share it, in internal/app and wherever else the world is played.
# Most tests wait for a process, a browser or a disk more than they compute, so four run at once in each package.
test:
	.ci/deps
	go test -race -parallel 4 -timeout 15m $$(go list ./... | grep -v -x -e llave/flows -e llave/flows/meaning)
	go test -parallel 4 -timeout 15m ./flows ./flows/meaning
	@echo "SMALL: the long sweeps; make sweeps tries everything" >&2
	@test -n "$$TEST_MONGODB_URI" || echo "SKIPPED: the MongoDB part; set TEST_MONGODB_URI to a server that may be written to" >&2

# vet, gofmt, and golangci-lint (which brings staticcheck and gosec) at a pinned version, built by the go command.
lint:
	go vet ./...
	@test -z "$$(gofmt -l .)" || { echo "not formatted (make fmt):"; gofmt -l .; exit 1; }
	go run $(GOLANGCI) run ./...

# What we ship of others, and whether the same commit builds the same program: see .ci/supply.
supply:
	GOVULNCHECK=$(GOVULNCHECK) VULNDB=$(VULNDB) .ci/supply

# dist/: the program for amd64 and arm64 with all that goes with it, what it is made of, and checksums: see .ci/release.
release:
	@VERSION='$(VERSION)' LDFLAGS='$(LDFLAGS)' CYCLONEDX=$(CYCLONEDX) .ci/release

# Every fuzz target for a minute, the better part of an hour; FUZZ=10m for longer, ONLY=bot/whatsapp for some. What it keeps under
# testdata/fuzz is replayed by make test.
fuzz:
	.ci/fuzz

bench:
	go test -run '^$$' -bench . -benchmem ./...

# Breaks processes for so long on each engine, then everything else once, while people walk the road; wants nothing lost and
# nothing twice. FULL=1 breaks everything else for as long as docs/reliability.md says, the better part of an hour. The
# MongoDB part needs TEST_MONGODB_URI.
CHAOS ?= 2m
chaos:
	go test ./internal/chaos -v -count=1 -timeout 0 -parallel 4 -chaos.for=$(CHAOS) $(if $(FULL),-chaos.full)
	@test -n "$$TEST_MONGODB_URI" || echo "SKIPPED: the MongoDB part; only the embedded store was broken" >&2

# Whether a chat in `uniform` tells what a record is: words, buttons, order and times of so many chats of each sort of record
# with each of four mail servers. 1000 take the better part of an hour; nothing else should run meanwhile.
DISCLOSURE ?= 1000
disclosure:
	go test ./internal/chaos -run 'TestDisclosure' -v -count=1 -timeout 0 -chaos.disclosure=$(DISCLOSURE)

# The sweeps of all packages whole: 100,000 random inputs, every sentence everywhere, every dialogue on both channels, a
# crash at every call, 10,000 histories of a person, two agents and two processes, every page by every rule. Without the
# race detector, which has seen a part of each in make test.
SWEEPS = $(filter-out ./internal/e2e,$(shell grep -rl --include='*_test.go' 'bottest\.NewSweep' . | xargs -n1 dirname | sort -u))
sweeps:
	.ci/deps
	TEST_SWEEPS=whole go test -count=1 -parallel 4 -timeout 30m $(SWEEPS)
	TEST_SWEEPS=whole go test -count=1 -parallel 4 -timeout 30m ./internal/e2e -run 'TestPages$$|TestDesk_pages$$'

# Writes flows/diagram.md anew; a test says when it is behind.
flow:
	go test ./flows -run Diagram -update

fmt:
	gofmt -w .

clean:
	rm -rf bin dist
