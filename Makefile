# One environment, .venv, for everything. `make help` lists what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Options for pip, e.g. make run PIP_ARGS="--extra-index-url ADDRESS-OF-A-MIRROR"
PIP_ARGS ?=
# Another Python 3.11, e.g. make run PYTHON=/opt/python3.11/bin/python3
PYTHON ?=

# Processes for the tests; of the quick ones each has one thread for computing.
WORKERS ?= 2
# The examples that a property is tried on: a quarter of hypothesis's own in `make quick`, all in `make test`.
PROFILE := quick
QUICK := not model and not browser and not slow and not whole

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --retries 10 $(PIP_ARGS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test quick check screenshots bench wheel clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.runtime ## make the environment if needed and start the app (Ctrl-C ends it)
	@exec $(BIN)/fedprompt ui

test: PROFILE = shared
test: QUICK = not model and not browser and not slow
test: check quick ## everything that CI runs: style, types, imports, then every test
	@$(BIN)/python -m pytest -m "model or browser or slow"

# By file, so that a process imports what its files need and makes their fixtures once. Compiled tests are kept, also
# where the environment says otherwise: compiling them anew in every process costs a quarter of the time.
quick: .venv/.tests ## the tests without model, browser and whole pages or commands, under a minute
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile \
	  --hypothesis-profile=$(PROFILE) -m "$(QUICK)"

check: .venv/.tests ## style, types and imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

screenshots: .venv/.tests ## pictures of every page into docs/screenshots (HOME_FOLDER=a home whose demo has run)
	@$(BIN)/python -m scripts.screenshots --home "$(or $(HOME_FOLDER),$(HOME)/.fedprompt)"

bench: .venv/.tests ## run every benchmark, one after the other; each prints one JSON object
	@$(BIN)/python -m benchmarks.every

wheel: .venv/.tests ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean: ## remove the environment, builds and caches (never a home or a bank)
	rm -rf .venv build dist .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find app benchmarks fedprompt pages scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: pip runs only where what they depend on has changed.
.venv/.made:
	@for python in $(PYTHON) python3.11 python3 python; do \
	  if "$$python" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
	    test -x $(BIN)/python || touch .fresh-venv; \
	    "$$python" -m venv .venv || { rm -f .fresh-venv; \
	      echo "no virtual environment could be made; on Debian and Ubuntu: apt-get install python3.11-venv"; exit 1; }; \
	    if test -e .fresh-venv; then mv .fresh-venv .venv/.fresh; fi; \
	    touch $@; exit 0; \
	  fi; \
	done; \
	echo "fedprompt needs Python 3.11 and there is none on the PATH; install it, or name it: make run PYTHON=/path/to/python3.11"; \
	exit 1

.venv/.runtime: requirements.txt pyproject.toml | .venv/.made
	@if test -e .venv/.fresh; then $(BIN)/python scripts/pip_size.py requirements.txt $(PIP_ARGS); fi
	@$(PIP) -r requirements.txt
	@rm -f .venv/.fresh
	@touch $@

.venv/.tests: requirements-test.txt .venv/.runtime
	@$(PIP) -r requirements-test.txt
	@touch $@
