# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint
demo: .venv/installed
	$(BIN)/synthaug demo --out runs/demo --overwrite

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python .dev/layout.py
	$(BIN)/mypy -p synthaug
	cd .dev/tree && ../../$(BIN)/lint-imports --config ../../pyproject.toml

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -e '.[dev]'
	touch $@
