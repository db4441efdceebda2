# make run, make test: on a fresh machine with Python 3.11 or later, these set up what they need.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8888
REACTOR ?= auto
MINUTES ?= 30

bin := $(VENV)/bin
# A folder with the day's downloads is no reason to install again, but another list of dependencies is.
stamp = $(VENV)/.installed-$(1)

.PHONY: help run test test-all coverage figures soak bench conformance mutation lint types private-names package docs hooks clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 20

run: $(call stamp,run) ## Serve an echo (PORT=8888 REACTOR=auto)
	$(bin)/twistd -n echo --port $(PORT) --reactor $(REACTOR)

test: $(call stamp,dev) ## Run the tests once, on the platform's default reactor, in less than 5 minutes
	$(bin)/python -m tests.suite --quick

test-all: $(call stamp,dev) ## Run the whole suite, on every reactor that this platform has, and under pytest
	$(bin)/python -m tests.suite --coverage

coverage: $(call stamp,dev) ## Report the coverage of the last "make test-all"; what has no I/O has to be covered whole
	$(bin)/coverage report
	$(bin)/coverage report --include='$(shell $(bin)/python -m tests.without_io)' --fail-under=100

figures: $(call stamp,dev) ## Measure the figures to hold, on a machine that does nothing else (REACTOR=auto)
	$(bin)/python -m checks.figures --reactor $(REACTOR)
	$(bin)/python -m checks.flood --reactor $(REACTOR)

soak: $(call stamp,dev) ## Put mixed load and faults on the service for long (MINUTES=30 REACTOR=auto)
	$(bin)/python -m checks.soak --minutes $(MINUTES) --reactor $(REACTOR)

bench: $(call stamp,dev) ## Measure our servers beside others, in 10 minutes (BENCH='--full --resume' for all, in hours)
	$(bin)/python -m checks.bench $(BENCH)

conformance: $(call stamp,dev) ## Run Twisted's own tests on the lean reactors, and on those that they are made of
	$(bin)/python -m checks.conformance

mutation: $(call stamp,dev) ## Change the code, and see which changes no test notices (MODULE=server/limits/drain; all of them in 15 minutes)
	$(bin)/python -m checks.mutation $(MODULE)

lint: $(call stamp,dev) ## Check the style, the hosted CI's workflow, and that each promise has its proof in the guide
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(bin)/python -m tools.docs --check

types: $(call stamp,dev) ## Check the types
	$(bin)/mypy

private-names: $(call stamp,dev) ## Check that the oldest Twisted that is allowed has each private name that we use
	$(bin)/python -m checks.private_names

package: $(call stamp,dev) ## Build wheel and sdist, and try the wheel in a clean environment
	$(bin)/python -m checks.package

docs: $(call stamp,dev) ## Write the generated parts of the guide anew
	$(bin)/python -m tools.docs

hooks: $(call stamp,dev) ## Have git check style and types before each commit
	$(bin)/pre-commit install

clean: ## Remove what these commands have made
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
