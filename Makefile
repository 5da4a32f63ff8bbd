# SPDX-License-Identifier: GPL-3.0-or-later
# Two commands matter: `make demo` and `make test`. Everything else is a nox session (`make sessions`) or a convenience.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
NOX := .venv/bin/nox

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Bring up a server with virtual BMCs, collect their inventory, power cycle one (Ctrl-C stops it)
	@scripts/bootstrap demo
	@$(PYTHON) scripts/collection.py install .cache/collections
	@ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/.cache/collections" exec .venv/bin/fleetd demo $(ARGS)

.PHONY: test
test: ## Install what is missing and run every check and test
	@scripts/run-tests $(SESSIONS)

.PHONY: setup
setup: ## Make .venv with everything for development
	@scripts/bootstrap dev

.PHONY: sessions
sessions: setup ## List the nox sessions that `make test` is made of
	@$(NOX) --list

.PHONY: lint
lint: setup ## Run the fast static checks: formatting, types, import rules
	@$(NOX) -s lint types

.PHONY: format
format: setup ## Format the code
	@.venv/bin/ruff check --fix-only --quiet . && .venv/bin/ruff format .

.PHONY: unit
unit: setup ## Run the unit tests
	@$(NOX) -s unit

.PHONY: build
build: setup ## Build the collection tarball and the wheel into dist/
	@$(PYTHON) scripts/collection.py build dist
	@$(PYTHON) -m build --wheel --outdir dist . >/dev/null && ls -1 dist

.PHONY: constraints
constraints: ## Renew constraints.txt with the newest versions (then run `make test`)
	@scripts/update-constraints

.PHONY: clean
clean: ## Remove what the commands above made, .venv too
	@rm -rf .venv .nox .cache .demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/output
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
