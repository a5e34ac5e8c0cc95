.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
WORKERS ?= 2

.PHONY: help setup demo bench test test-node test-rest lint fast faults model mutants up down status golden manifests lock

help: ## Lists the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: .venv/.ready ## Makes .venv with the locked versions of everything.

.venv/.ready: requirements-dev.txt pyproject.toml scripts/venv
	@sh scripts/venv

demo: setup ## Real cluster, operator, bench and site: ends with the site's answer. Ctrl-C takes it all down.
	@$(PYTHON) -m demo

bench: setup ## What the operator costs: measures every promised figure, prints a table, writes build/bench.json.
	@$(PYTHON) -m benchmark $(ONLY)

test: lint ## Every check and test this machine can run.
	@$(MAKE) --no-print-directory --jobs=2 --keep-going test-node test-rest

test-node: setup
	@# One after the other: they share a node and an operator. Mostly they wait, so the others run beside them.
	$(PYTHON) -m pytest -v -m node

test-rest: setup
	$(PYTHON) -m pytest -n $(WORKERS) -m "not node"

lint: setup ## Format, style, types, and the doors between the rooms.
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

fast: setup ## The tests that need no cluster: seconds.
	$(PYTHON) -m pytest -q -n $(WORKERS) tests/unit tests/golden tests/world tests/runtime tests/mutants/test_mutants.py

faults: setup ## Everything that can go wrong, at every write of every scenario; then random edits and specs, and the model check.
	$(PYTHON) -m tests.faults
	WAYS=200 EXAMPLES=10000 $(PYTHON) -m pytest -q -n $(WORKERS) tests/world/test_order_of_edits.py tests/unit/cli/test_any_spec.py
	@$(MAKE) --no-print-directory model

mutants: setup ## Plants known bugs, one after the other, and shows that the tests catch each. ONLY="watch-*" for some.
	$(PYTHON) -m tests.mutants --workers $(WORKERS) $(ONLY)

model: setup ## Every order of events for a small product: hundreds of thousands of states, each of which ends well.
	@$(PYTHON) -m tests.modelcheck

golden: setup ## Writes the golden files anew; read the difference before you commit it. `python -m tests.golden` shows them.
	$(PYTHON) -m tests.golden update

manifests: setup ## Writes deploy/ anew from the code.
	@sh scripts/manifests

up: setup ## Starts a local cluster with a real node, and leaves it running.
	@$(PYTHON) -m sandbox up --tier node

down: setup ## Takes that cluster down.
	@$(PYTHON) -m sandbox down

status: setup ## Says what of it runs.
	@$(PYTHON) -m sandbox status

lock: ## Locks the newest versions that pyproject.toml allows (needs uv).
	uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 --group dev pyproject.toml -o requirements-dev.txt
	uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 pyproject.toml -o requirements.txt
