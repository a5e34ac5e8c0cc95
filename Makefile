.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
WORKERS ?= 2

.PHONY: help setup demo bench test test-node test-rest lint fast faults model mutants up down status golden manifests lock

help: ## Lists the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: .venv/.ready ## Creates .venv with the locked versions of all dependencies.

.venv/.ready: requirements-dev.txt pyproject.toml scripts/venv
	@sh scripts/venv

demo: setup ## Starts a cluster, the operator, a bench and a site, and prints the site's answer. Ctrl-C removes everything.
	@$(PYTHON) -m demo

bench: setup ## Measures what the operator costs, prints a table, writes build/bench.json. ONLY="reading starting" for some.
	@$(PYTHON) -m benchmark $(ONLY)

test: lint ## Runs every check and test that this machine can run.
	@$(MAKE) --no-print-directory --jobs=2 --keep-going test-node test-rest

test-node: setup
	@# One after the other: they share a node and an operator. Mostly they wait, so the others run beside them.
	$(PYTHON) -m pytest -v -m node tests/e2e tests/sandbox

test-rest: setup
	$(PYTHON) -m pytest -n $(WORKERS) -m "not node"

lint: setup ## Checks format, style, types, and the import contracts.
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

fast: setup ## Runs the tests that need no cluster.
	$(PYTHON) -m pytest -q -n $(WORKERS) tests/unit tests/golden tests/world tests/runtime tests/mutants/test_mutants.py

faults: setup ## Runs all fault plans: what can go wrong at every write of every scenario; then random edits and specs, and the model check.
	$(PYTHON) -m tests.faults
	WAYS=200 EXAMPLES=10000 $(PYTHON) -m pytest -q -n $(WORKERS) tests/world/test_order_of_edits.py tests/world/test_apply_is_idempotent.py tests/unit/cli/test_any_spec.py
	@$(MAKE) --no-print-directory model

mutants: setup ## Plants known bugs, one after the other, and checks that the tests catch each. ONLY="watch-*" for some.
	$(PYTHON) -m tests.mutants --workers $(WORKERS) $(ONLY)

model: setup ## Checks every order of events for a small product: hundreds of thousands of states.
	@$(PYTHON) -m tests.modelcheck

golden: setup ## Regenerates the golden files. Read the difference before you commit it; `python -m tests.golden` shows them.
	$(PYTHON) -m tests.golden update

manifests: setup ## Regenerates deploy/ and the reference pages from the code.
	@sh scripts/manifests

up: setup ## Starts a local cluster with a real node and leaves it running. WITH=contour,metrics-server for add-ons on it.
	@$(PYTHON) -m sandbox up --tier node --with "$(WITH)"

down: setup ## Removes that cluster.
	@$(PYTHON) -m sandbox down

status: setup ## Shows the state of that cluster.
	@$(PYTHON) -m sandbox status

lock: ## Locks the newest versions that pyproject.toml allows (needs uv).
	uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 --group dev pyproject.toml -o requirements-dev.txt
	uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 pyproject.toml -o requirements.txt
