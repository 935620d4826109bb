# SmartCart's commands. `make help` lists them.
#
# `make test` needs one build only, of the dev profile (its dependencies are optimised): clippy, tests, chaos, replay,
# k6 and the quick bench all use it. `run`, `bench`, `chaos` and `replay` build for release.

SHELL := /bin/bash
.DEFAULT_GOAL := help

STEP := @scripts/step.sh
WITH_SERVER := scripts/with-server.sh
# What may take as long as it likes gives way to what is judged by the clock, as a takeover is: they run side by side.
PATIENT := nice -n 10
DEBUG := target/debug
RELEASE := target/release
# Shops under test live on the disk: /tmp may be in memory, where an fsync costs and proves nothing.
ON_DISK := mkdir -p target/tmp && TMPDIR=$(CURDIR)/target/tmp
TRADE := loadtests/data/online-retail.csv.gz

# Lengths of the long forms; `make chaos ROUNDS=500`.
ROUNDS ?= 50
BENCH_ARGS ?=
REPLAY_ARGS ?=
FLEET_ARGS ?=
# What the short chaos of a fleet runs, with its journal in PostgreSQL and in Redis: what proves most in eight minutes.
SHORT_FLEET := kill zombie rolling versions flash-sale cut-both lost-commits
SHORT_FLEET_REDIS := redis forgetful backlog flapping lost-appends
# Of `make fleet`: postgres or redis.
JOURNAL ?= postgres

export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/.tools/python/bin:$(PATH)

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### Using it

.PHONY: run
run: ## serve a demo shop on http://127.0.0.1:8080, state under ./data
	cargo run --release --locked --bin smartcart -- serve

.PHONY: fleet
fleet: ## PostgreSQL, three pods that share a demo shop, and the stateless targets; JOURNAL=redis: a Redis before it
	scripts/install-postgres.sh
	if [ "$(JOURNAL)" = redis ]; then scripts/install-redis.sh; fi
	cargo build --release --locked --bin smartcart
	JOURNAL=$(JOURNAL) scripts/fleet.sh $(RELEASE)

.PHONY: clean-data
clean-data: ## forget the shop: delete ./data
	rm -rf data

##### Proving it

# How many steps of `make test` run at once. Many wait for a pod to be declared dead or for a hold to end.
JOBS ?= 4
# Roughly the longest first, so that none of them is left over at the end.
CHECKS := build tools fmt-check links deny lint-scripts unit fleet-short chaos-short bench-quick doc-tests replay-short k6 buyers readme-check metrics-check

.PHONY: test checks
test: ## every check, the short form of every load
	@scripts/step-table.sh begin
	@code=0; STEPS=together $(MAKE) --no-print-directory --jobs=$(JOBS) checks || code=$$?; scripts/step-table.sh end; exit $$code
checks: $(CHECKS)

.PHONY: system tools
system:
	$(STEP) 'Toolchain' scripts/install-system.sh
tools: system ## install what the checks need under .tools (nothing when already there)
	$(STEP) 'Install tools' scripts/install-tools.sh

.PHONY: fmt fmt-check
fmt: ## format the code
	cargo fmt --all
fmt-check: system
	$(STEP) 'Format' cargo fmt --all --check

.PHONY: build clippy sqlx-prepare
build: system ## compile everything for the tests, with clippy's lints and the stored SQL metadata checked on the way
	$(STEP) 'Build, clippy, stored SQL metadata' scripts/build.sh
clippy: ## the lints alone
	cargo clippy --locked --workspace --all-targets -- -D warnings
sqlx-prepare: ## refresh .sqlx after changing a query or a migration
	scripts/sqlx-metadata.sh

.PHONY: unit doc-tests
unit: build tools ## the Rust tests
	$(STEP) 'Rust tests' $(PATIENT) scripts/with-postgres.sh scripts/run-tests.sh
doc-tests: build
	$(STEP) 'Examples in the Rust documentation' $(PATIENT) scripts/checked-cargo.sh test --locked --workspace --features smartcart-api/next --doc

.PHONY: deny
deny: tools ## dependency bans, licences, sources
	$(STEP) 'Dependencies' cargo deny --log-level error check bans licenses sources

.PHONY: lint-scripts
lint-scripts: tools ## shellcheck, hadolint, actionlint, zizmor
	$(STEP) 'Scripts, Dockerfiles, workflows' scripts/lint-scripts.sh

.PHONY: links
links:
	$(STEP) 'Links in the documents' scripts/check-links.sh

.PHONY: readme-check
readme-check: build ## run the README's curl session against a live server
	$(STEP) 'README session' $(WITH_SERVER) scripts/check-readme.sh

.PHONY: metrics-check
metrics-check: build tools
	$(STEP) 'Metrics' $(WITH_SERVER) scripts/check-metrics.sh

K6 := k6-smoke k6-add-to-cart k6-flash-sale
.PHONY: k6 $(K6)
k6: $(K6) ## the k6 scenarios in short form
$(K6): k6-%: build tools
	$(STEP) 'k6 $*' $(WITH_SERVER) scripts/k6.sh $*

.PHONY: buyers
buyers: build ## 64 buyers on one SKU with 1,000 units: exactly 1,000 sold
	$(STEP) '64 buyers, 1,000 units' $(WITH_SERVER) scripts/buyers.sh $(DEBUG)/buyers

.PHONY: chaos chaos-short
chaos: ## kill -9 under load, ROUNDS times; then everything that can go wrong with a fleet; release build
	cargo build --release --locked --workspace --bins --features smartcart-api/next
	scripts/next-version.sh $(RELEASE)
	$(ON_DISK) $(RELEASE)/chaos --server $(RELEASE)/smartcart --rounds $(ROUNDS)
	$(ON_DISK) $(RELEASE)/fleet --server $(RELEASE)/smartcart --next $(RELEASE)/smartcart-next $(FLEET_ARGS)
	$(ON_DISK) $(RELEASE)/fleet --server $(RELEASE)/smartcart --next $(RELEASE)/smartcart-next --journal redis $(FLEET_ARGS)
chaos-short: build
	$(STEP) 'Chaos, short' $(DEBUG)/chaos --server $(DEBUG)/smartcart --rounds 10

# Each scenario has its own pods, PostgreSQL and Redis, so that they run side by side.
FLEET := $(addprefix fleet-,$(SHORT_FLEET))
FLEET_REDIS := $(addprefix fleet-redis-,$(SHORT_FLEET_REDIS))
.PHONY: fleet-short $(FLEET) $(FLEET_REDIS)
fleet-short: $(FLEET_REDIS) $(FLEET) ## everything that can go wrong with a fleet, in short form
$(FLEET): fleet-%: build tools
	$(STEP) 'Chaos in a fleet: $*' $(DEBUG)/fleet --server $(DEBUG)/smartcart --next $(DEBUG)/smartcart-next --short --scenario $*
$(FLEET_REDIS): fleet-redis-%: build tools
	$(STEP) 'Chaos in a fleet with Redis: $*' $(DEBUG)/fleet --server $(DEBUG)/smartcart --journal redis --short --scenario $*

.PHONY: replay replay-short replay-stocked-short replay-scarce-short
replay: ## nine months of real trade, once with enough stock and once with too little; release build
	cargo build --release --locked --workspace --bins
	SMARTCART_BIN=$(RELEASE)/smartcart $(WITH_SERVER) scripts/replay.sh $(RELEASE) $(TRADE) $(REPLAY_ARGS)
	SMARTCART_BIN=$(RELEASE)/smartcart $(WITH_SERVER) scripts/replay.sh $(RELEASE) $(TRADE) --scarce $(REPLAY_ARGS)
replay-short: replay-stocked-short replay-scarce-short
replay-stocked-short: build
	$(STEP) 'Replay, short' $(PATIENT) $(WITH_SERVER) scripts/replay.sh $(DEBUG) $(TRADE) --limit-invoices 300
replay-scarce-short: build
	$(STEP) 'Replay with too little stock, short' $(PATIENT) $(WITH_SERVER) scripts/replay.sh $(DEBUG) $(TRADE) --scarce --limit-invoices 300

.PHONY: bench bench-postgres bench-redis bench-quick bench-quick-embedded bench-quick-postgres bench-quick-redis
bench: ## throughput and latency beside a no-op server; release build
	cargo build --release --locked --workspace --bins
	$(ON_DISK) $(RELEASE)/bench $(BENCH_ARGS)
bench-postgres: ## a pod on PostgreSQL beside the baseline, rows written, the fence's cost, forwarding; release build
	cargo build --release --locked --workspace --bins
	scripts/with-postgres.sh $(RELEASE)/bench postgres $(BENCH_ARGS)
bench-redis: ## a journal in Redis beside the baseline in Redis and a journal in PostgreSQL; a slow PostgreSQL, a slow disk; release build
	scripts/install-redis.sh
	cargo build --release --locked --workspace --bins
	scripts/with-postgres.sh $(RELEASE)/bench redis $(BENCH_ARGS)
bench-quick: bench-quick-embedded bench-quick-postgres bench-quick-redis
bench-quick-embedded: build
	$(STEP) 'Bench, quick (unoptimised build: proves that it runs, its numbers mean nothing)' $(PATIENT) $(DEBUG)/bench --quick
# One after the other, and in `make test` after the steps that wait for clocks: each takes every core that it can get.
ifeq ($(STEPS),together)
bench-quick-embedded: | $(FLEET) $(FLEET_REDIS) chaos-short unit
endif
bench-quick-postgres: build tools | bench-quick-embedded
	$(STEP) 'Bench on PostgreSQL, quick' $(PATIENT) scripts/with-postgres.sh $(DEBUG)/bench postgres --quick
bench-quick-redis: build tools | bench-quick-postgres
	$(STEP) 'Bench with Redis, quick' $(PATIENT) scripts/with-postgres.sh $(DEBUG)/bench redis --quick

##### Documents

.PHONY: docs
docs: docs/architecture.png ## draw docs/architecture.png from its source
docs/architecture.png: docs/architecture.svg
	scripts/install-rsvg.sh
	rsvg-convert --width 1800 --output $@ $<
