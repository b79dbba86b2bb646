# Every target sets up what it needs: Python 3.11+ and make are all that a fresh machine has to bring.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo serve test lint bench check docs torture clean

demo: .venv/ready          ## play a handover through real HTTP, against the sandbox
	@$(BIN)/handover demo $(ARGS)

serve: .venv/ready         ## the router with ./routes.yaml
	@$(BIN)/handover serve $(ARGS)

check: .venv/ready         ## every fault of ./routes.yaml
	@$(BIN)/handover check $(ARGS)

test: .venv/ready lint     ## lint, types, every test, branch coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n 2 --dist loadfile $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

lint: .venv/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

bench: .venv/bench         ## what it costs, beside a floor, in one run; without ARGS docs/performance.md is made anew
	@$(BIN)/python -m bench $(ARGS)

torture: .venv/ready       ## the random walk, without end; ARGS="--processes" kills real servers (see --help)
	@$(BIN)/python -m tests.promise.torture $(ARGS)

docs: .venv/ready          ## make the reference pages anew from the schema and the hook specs
	@$(BIN)/python -m docs.make $(ARGS)

.venv/ready: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not installed; Python 3.11 or newer is needed" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is older than 3.11; set PYTHON to a newer one: make PYTHON=python3.12" >&2; exit 2; }
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

.venv/bench: .venv/ready
	@echo "Setting up what measures and draws (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	@touch $@

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build .coverage*
