# Two commands do everything on a machine that has Python 3.11, 3.12 or 3.13 and nothing else: `make demo`, `make test`.

VENV ?= .venv
# The first of these that runs and is of a supported version; `make PYTHON=/path/to/python` overrides.
PYTHON_CANDIDATES := python3 python3.13 python3.12 python3.11 python
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in $(PYTHON_CANDIDATES); do $$p -c '$(SUPPORTED)' 2>/dev/null && { echo $$p; break; }; done)

BIN := $(VENV)/bin
TYPES := $(BIN)/mypy
# Test files are shared out among processes; a file stays in one, with the models that it fits once. Each process keeps
# to one thread of linear algebra: the processes share the cores.
PROCESSES ?= auto
TEST_OPTIONS ?=
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --maxprocesses 4 --dist loadfile
EXECUTE ?= on

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all smoke lint format types docs bench calibrate clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:[^#]*## */\t/' | expand -t 14

install: $(VENV)/.installed-test  ## create the environment and install the package into it, editable

demo: $(VENV)/.installed-test  ## fit sleepstudy, print the summary, write the pictures
	$(BIN)/python examples/demo.py

test: $(VENV)/.installed-test  ## all tests but the slow ones
	$(PYTEST) -m "not slow and not calibration" $(TEST_OPTIONS)

test-all: $(VENV)/.installed-test  ## the slow tests too
	$(PYTEST) -m "not calibration" $(TEST_OPTIONS)

smoke: $(VENV)/.installed-test  ## a fast subset: does the package work on this Python?
	$(BIN)/python -m pytest -m smoke $(TEST_OPTIONS)

minimum: $(VENV)/.installed-minimum  ## the fast subset with the lowest version of every dependency
	$(BIN)/python -m pytest -m smoke -o filterwarnings=default $(TEST_OPTIONS)

lint: $(VENV)/.installed-dev  ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(TYPES)

format: $(VENV)/.installed-dev  ## put the code into the format that `lint` asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev  ## types only
	$(TYPES)

docs: $(VENV)/.installed-docs  ## the documentation, as HTML, in docs/_build/html (EXECUTE=off: without running its code)
	BAYESML_DOCS_EXECUTE=$(EXECUTE) $(BIN)/python -m sphinx -E -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.installed-test  ## the benchmarks against the peers that are installed
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

calibrate: $(VENV)/.installed-test  ## simulation-based calibration and coverage (long)
	$(PYTEST) --dist worksteal -m calibration $(TEST_OPTIONS)

# The lowest version of every dependency of the package that pyproject.toml admits.
$(VENV)/.installed-minimum: $(VENV)/.python pyproject.toml tests/minimum_versions.py
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check packaging
	@$(BIN)/python tests/minimum_versions.py > $(VENV)/minimum.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(VENV)/minimum.txt --editable '.[test]'
	@touch $@

clean:  ## remove the environments and everything that was built
	rm -rf $(VENV) .venv-* build dist docs/_build docs/generated docs/jupyter_execute demo-output
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find bayesml tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The interpreter of an environment; made anew where it is missing, broken (its Python is gone) or of another version.
$(VENV)/.python: Makefile
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found; say where it is: make PYTHON=/path/to/python"; exit 1; }
	@$(BIN)/python -c '$(SUPPORTED)' 2>/dev/null || { echo "Creating $(VENV) with $(PYTHON)"; $(PYTHON) -m venv --clear $(VENV); }
	@touch $@

# One stamp per extra; a newer pyproject.toml installs again.
$(VENV)/.installed-%: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@$(BIN)/python -m compileall -q bayesml  # as pip does for a package that is not editable
	@touch $@
