# On a fresh machine with Python 3.11 or later, make run and make test install their own requirements.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8888
REACTOR ?= auto
MINUTES ?= 30

bin := $(VENV)/bin
# Install again when the list of dependencies changes.
stamp = $(VENV)/.installed-$(1)

.PHONY: help run test test-all coverage figures soak bench conformance mutation lint types private-names package docs hooks clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 20

run: $(call stamp,run) ## Serve an echo (PORT=8888 REACTOR=auto)
	$(bin)/twistd -n echo --port $(PORT) --reactor $(REACTOR)

test: $(call stamp,dev) ## Run the tests once, on the default reactor, in less than 5 minutes
	$(bin)/python -m tests.suite --quick

test-all: $(call stamp,dev) ## Run the whole suite, on every reactor of this platform, and under pytest
	$(bin)/python -m tests.suite --coverage

coverage: $(call stamp,dev) ## Report the coverage of the last "make test-all"; 100 % for modules without I/O
	$(bin)/coverage report
	$(bin)/coverage report --include='$(shell $(bin)/python -m tests.without_io)' --fail-under=100

figures: $(call stamp,dev) ## Measure the figures to hold, on an idle machine (REACTOR=auto)
	$(bin)/python -m checks.figures --reactor $(REACTOR)
	$(bin)/python -m checks.flood --reactor $(REACTOR)

soak: $(call stamp,dev) ## Run mixed load and faults for a long time (MINUTES=30 REACTOR=auto)
	$(bin)/python -m checks.soak --minutes $(MINUTES) --reactor $(REACTOR)

bench: $(call stamp,dev) ## Measure our servers beside others, in 10 minutes (BENCH='--full --resume': all, in hours)
	$(bin)/python -m checks.bench $(BENCH)

conformance: $(call stamp,dev) ## Run Twisted's own reactor tests on the lean reactors and on Twisted's
	$(bin)/python -m checks.conformance

mutation: $(call stamp,dev) ## Find changes of the code that no test notices, in 15 minutes (MODULE=server/limits/drain)
	$(bin)/python -m checks.mutation $(MODULE)

lint: $(call stamp,dev) ## Check style, the CI workflow, and the proofs of all promises
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(bin)/python -m tools.docs --check

types: $(call stamp,dev) ## Check the types
	$(bin)/mypy

private-names: $(call stamp,dev) ## Check that the oldest Twisted that is allowed has each private name that we use
	$(bin)/python -m checks.private_names

package: $(call stamp,dev) ## Build wheel and sdist, and test the wheel in a clean environment
	$(bin)/python -m checks.package

docs: $(call stamp,dev) ## Write the generated parts of the guide anew
	$(bin)/python -m tools.docs

hooks: $(call stamp,dev) ## Make git check style and types before each commit
	$(bin)/pre-commit install

clean: ## Remove all files that these commands create
	rm -rf $(VENV) dist build .coverage* _suite _trial_temp* .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("echoproto needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(call stamp,run): $(VENV)/bin/python pyproject.toml
	$(bin)/python -m pip install --quiet --disable-pip-version-check --editable '.[tls,uvloop]'
	touch $@

$(call stamp,dev): $(VENV)/bin/python pyproject.toml
	$(bin)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(call stamp,run)
