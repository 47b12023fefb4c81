# Two commands: `make run` starts the portal, `make test` tests it. Both install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

export PYTHON ?= python3.11
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Two workers: what the smallest machine we test on has. In order of names: else files of few tests, which take long
# each, come last, and one worker waits for the other.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
SOURCES := $(wildcard portal tests demo bench wsgi.py scripts/*.py)

# The stamps make a second run instant and independent of any network.
RUN_READY := .venv/.run-ready
DEV_READY := .venv/.dev-ready
CLIENTS_READY := .venv-lamindb/.ready

.PHONY: help
help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(RUN_READY): requirements/run.lock requirements/build.lock pyproject.toml
	@echo "Installing the portal into .venv …"
	@scripts/venv.sh requirements/build.lock requirements/run.lock
	@touch $@

$(DEV_READY): requirements/dev.lock $(RUN_READY)
	@echo "Installing the test tools into .venv …"
	@scripts/venv.sh requirements/dev.lock
	@touch $@

$(CLIENTS_READY): requirements/clients.lock scripts/clients.sh $(DEV_READY)
	@echo "Installing the real lamindb into .venv-lamindb …"
	@scripts/clients.sh
	@touch $@

.PHONY: run
run: $(RUN_READY) ## Start the portal: web and runner, SQLite, nothing else needed
	@exec $(BIN)/portal up

.PHONY: demo
demo: $(DEV_READY) ## Start the portal with a filled world and a local S3 server
	@exec $(BIN)/python -m demo

.PHONY: test
test: lint types unit contract integration faults e2e clients ## Run the checks and tests, fast ones first; of matrices a sample

.PHONY: lint
lint: $(DEV_READY) ## Check style, formatting and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

.PHONY: types
types: $(DEV_READY) ## Check types
	$(BIN)/mypy $(SOURCES)

.PHONY: unit
unit: $(DEV_READY) ## Run the pure tests and the tests of the house
	$(PYTEST) tests/unit tests/architecture

.PHONY: contract
contract: $(DEV_READY) ## Run the one suite of all storage backends
	$(PYTEST) tests/contract $(PARALLEL)

.PHONY: test-tools
test-tools: $(DEV_READY)
	@scripts/test-tools.sh

.PHONY: integration
integration: test-tools ## Run the tests against real databases and a real S3 server
	$(PYTEST) tests/integration $(PARALLEL) -m "not full"

.PHONY: faults
faults: test-tools ## Run a drawn sample of the faults of networks, servers, disks and processes
	FAULTS_SEED=$${FAULTS_SEED:-20261123} $(PYTEST) tests/faults tests/soak -n 2 --dist load -m "not full"

.PHONY: e2e
e2e: test-tools ## Run the tests in a real browser
	$(PYTEST) tests/e2e $(PARALLEL)

.PHONY: clients
clients: test-tools $(CLIENTS_READY) ## Run the tests with the real lamindb
	$(PYTEST) tests/clients $(PARALLEL) -m "not full" --timeout 300

.PHONY: soak
soak: test-tools $(CLIENTS_READY) ## Run the long tests: kill, resume, load, every combination
	$(PYTEST) tests/soak --ignore tests/soak/test_walk.py -n 2 --dist load --timeout 3600
	$(PYTEST) tests/soak/test_walk.py --timeout 3600
	$(PYTEST) tests/faults -n 2 --dist load --timeout 600
	STATEFUL_EXAMPLES=300 $(PYTEST) tests/integration/test_migrations_stateful.py
	$(PYTEST) tests/integration $(PARALLEL) -m full
	KILL_POINTS=40 $(PYTEST) tests/clients -n 2 --dist load -m "full or kills" --timeout 3600

.PHONY: bench
bench: $(CLIENTS_READY) ## Measure beside other tools
	@$(BIN)/python -m bench

.PHONY: screenshots
screenshots: test-tools ## Make the README's pictures from the demo
	@$(BIN)/python -m demo.screenshots

.PHONY: format
format: $(DEV_READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: $(DEV_READY) ## Write requirements/*.lock anew from pyproject.toml
	@scripts/lock.sh

.PHONY: clean
clean: ## Remove what make, the tests and the tools left; keeps the portal's data
	rm -rf .venv .venv-lamindb dist build .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
