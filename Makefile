# Everything a checkout can do. Needs python3 (3.11 or newer) with venv and pip, and make; only `bench` a C compiler.

PYTHON ?= python3
BIN := .venv/bin
SEEDS ?= 1000
# Three workers for two cores: half of the time they wait for a server or a database.
TEST_ARGS ?= -n 3 --dist loadfile -m "not long"

.PHONY: help setup run test long check format sigkill rows bench simulate lock docs clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

setup: .venv/.installed ## prepare .venv from the lock file (once)

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || { echo "Python's venv is missing; on Debian: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.locked: requirements.lock .venv/.created
	@echo "Installing what requirements.lock pins; a minute the first time"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/.installed: pyproject.toml .venv/.locked
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## run the server on loopback with two demonstration accounts
	$(BIN)/trouper serve --demo

test: setup ## run every test that does not take long: some minutes
	$(BIN)/python -m pytest $(TEST_ARGS)

long: setup ## run those that do: planted bugs against harness and simulation, seeds that once failed, ends of the whole server
	$(BIN)/python -m pytest -n 2 -v -m long

check: setup ## format, lint, types, imports and sizes: under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/architecture

format: setup ## bring the sources into shape
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

sigkill: setup ## kill server and database twenty times under load, and count what arrives: some minutes
	$(BIN)/python -m tests.chaos.sigkill $(SIGKILL_ARGS)

rows: setup ## say which rows of the founding documents hold, by their scripts
	$(BIN)/python -m tests.scenarios $(ROWS_ARGS)

bench: setup ## measure a server on loopback (needs a C compiler)
	@command -v $(CC) >/dev/null || { echo "The load generator is C: a compiler is needed; on Debian: apt install gcc libc6-dev" >&2; exit 1; }
	$(MAKE) --silent -C ops/bench
	$(BIN)/python -m ops.bench.run $(BENCH_ARGS)

simulate: setup ## run the server from SEEDS=1000 seeds, on all cores; STATE=FILE continues there
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(STATE),--state $(STATE)) $(SIMULATE_ARGS)

docs: setup ## write docs/configuration.md, docs/ROWS.md and docs/trouper.doap again
	$(BIN)/python -m ops.config_docs
	$(BIN)/python -m ops.doap
	$(BIN)/python -m tests.scenarios.rows_docs

lock: .venv/.created ## pin the newest versions that pyproject.toml admits
	$(PYTHON) -m venv .venv/lock && .venv/lock/bin/pip install --quiet --disable-pip-version-check pip-tools
	.venv/lock/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-index-url \
	  --no-emit-find-links --no-emit-trusted-host --no-emit-options --extra embedded --extra dev -o requirements.lock pyproject.toml

clean: ## remove what was built, data and environment excepted
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	$(MAKE) --silent -C ops/bench clean
