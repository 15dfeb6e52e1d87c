# `make` sets up, `make run` runs the benchmark, `make test` tests. All of it happens in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.up-to-date
ARGS ?=

.PHONY: venv reading run docs test quick-test test-slurm check bench clean

venv: $(STAMP)

# Some distributions ship Python without the part that puts pip into a virtual environment.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --without-pip $(VENV) && \
	    $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[test,dev]'
	touch $(STAMP)

# Without torch: for reading results, with table, report, figures, advise, compare, show, list and verify.
reading:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['reading'], sep='\n')" \
	    | $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -r /dev/stdin

run: $(STAMP)
	$(BIN)/python -m harness run --methods all --tasks all $(ARGS)

# One thread per test process: the processes share the cores. Stealing work keeps most tests of a file, which share
# what they were prepared with, in one process.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

# What takes less than a minute and a half: all but the tests that train, run the command line or compare with other code.
quick-test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not slow" $(ARGS)

# On a real SLURM of one node, which the tests start and stop by themselves. On Debian: apt-get install slurm-wlm munge.
test-slurm: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/slurm/on_slurm.py $(ARGS)

check: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

# The pages of docs/ and the docstrings as a site, in build/site; a warning is an error.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
