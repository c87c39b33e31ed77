# Two commands on a fresh machine: `make demo` and `make test`. Then, for developers: `make lint`, `make test-slow`
# (real servers, validators, killed processes, coverage of intervals; what they need of Debian is installed where
# that can be done, and skipped with a reason elsewhere).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow lint docs
demo: .venv/installed
	$(BIN)/synthaug demo --out runs/demo --overwrite

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q

test-slow: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q -m 'slow and not gpu and not network'

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python .dev/layout.py
	$(BIN)/mypy -p synthaug
	cd .dev/tree && ../../$(BIN)/lint-imports --config ../../pyproject.toml
	$(MAKE) docs

docs: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -q docs build/docs

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -e '.[dev]'
	touch $@
