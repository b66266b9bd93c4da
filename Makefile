# Vigie's daily commands. `make` lists them; `make run` and `make test` start from an empty machine with
# Python 3.11+, make and git, and fetch what is missing. What is there already is not fetched again.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# The first Python on PATH that is new enough; PYTHON=… names another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

BIN := .venv/bin
QUIX := .venv/quix
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input
FONTS := services/api/wallboard/fonts
PACKAGE := node_modules/@fontsource-variable/ibm-plex-sans
ASYNCAPI := node_modules/@asyncapi/specs/schemas/3.0.0.json
NPM_CI = command -v npm >/dev/null || $(INSTALL) --quiet --require-hashes -r requirements/node.txt; \
	PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
TYPEFACE := ibm-plex-sans-latin-wdth-normal.woff2

.PHONY: help run test bench soak lint format kafka font browser prometheus dovecot clean

help: ## this list
	@echo "Vigie: a live wallboard and alerts for contact centres"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: .venv/.run kafka font ## the whole system with a simulated contact centre, until Ctrl-C
	@exec $(BIN)/vigie demo

test: .venv/.test $(QUIX)/.done kafka browser prometheus dovecot font $(ASYNCAPI) ## style, types and every test, as in continuous integration
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/pytest -n 2 --dist loadfile

bench: .venv/.test $(QUIX)/.done kafka font ## how fast, beside what one would use instead: one table at the end
	@$(BIN)/python -m benchmarks

soak: .venv/.test kafka ## the whole system under load, killed and stopped at random; MINUTES=10, SEED, LOAD=5
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) --load $(or $(LOAD),5) $(if $(SEED),--seed $(SEED))

lint: .venv/.test ## style and types only
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: .venv/.test ## put the code into the house's shape
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean: ## remove what these commands made here; caches and data of the user stay
	rm -rf .venv node_modules build $(FONTS) *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the commands need -------------------------------------------------------------------------

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
	  echo "Vigie needs Python 3.11 or newer, and none is on PATH: install it, or type make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "Python's venv is incomplete on this machine: type  sudo apt-get install python3-venv  and try again" >&2; \
	  exit 1; \
	fi
	@echo "Making the environment .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

# The tests' packages contain those that Vigie runs on.
.venv/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Vigie runs on (requirements/run.txt)"
	@$(INSTALL) --require-hashes -r requirements/run.txt
	@$(INSTALL) --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/.test: requirements/test.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Vigie and its tests run on (requirements/test.txt)"
	@$(INSTALL) --require-hashes -r requirements/test.txt
	@$(INSTALL) --quiet --no-deps --no-build-isolation -e .
	@touch $@ .venv/.run

# Quix Streams, which `make bench` sets beside Vigie: in an environment of its own, as its pydantic is not ours.
$(QUIX)/.done: requirements/bench.txt | $(BIN)/python
	@echo "Installing what the benchmark sets beside Vigie (requirements/bench.txt)"
	@$(BIN)/python -m venv $(QUIX)
	@$(QUIX)/bin/python -m pip install --disable-pip-version-check --no-input --quiet --require-hashes -r requirements/bench.txt
	@touch $@

kafka: | $(BIN)/python
	@$(BIN)/python -m services.cli.kafka_setup

browser: | $(BIN)/python
	@$(BIN)/python -m tests.browser

prometheus: | $(BIN)/python
	@$(BIN)/python -m tests.prometheus

dovecot: | $(BIN)/python
	@$(BIN)/python -m tests.dovecot

# The page does without: it falls back to the system's typeface.
font: | $(BIN)/python
	@[ -s $(FONTS)/$(TYPEFACE) ] || $(MAKE) $(FONTS)/$(TYPEFACE) || \
	  echo "The wallboard's typeface could not be fetched; the page uses the system's. Try again with: make font"

$(FONTS)/$(TYPEFACE): package-lock.json
	@echo "Fetching the wallboard's typeface (package-lock.json)"
	@$(NPM_CI) --omit=dev
	@mkdir -p $(FONTS)
	@cp $(PACKAGE)/files/$(TYPEFACE) $(PACKAGE)/LICENSE $(FONTS)/

$(ASYNCAPI): package-lock.json | $(BIN)/python
	@echo "Fetching the schema of AsyncAPI, for a test (package-lock.json)"
	@$(NPM_CI)
	@touch $@
