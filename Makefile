# Everything a contributor runs. Each target does all of its own set-up on first use, inside this folder:
# .venv (locked Python packages) and .tools (private copies of the official CLIs).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BOOTSTRAP := $(PYTHON) -m scripts.bootstrap
PYTEST := $(BIN)/pytest -n 3 --dist worksteal
# All findings of all checks, not only the first. Named here so that `make -n test` prints them instead of running them.
# Two at a time: the type checks of three platforms take a core each.
CHECK = $(MAKE) --no-print-directory --keep-going --jobs 2 check
SUITE = $(MAKE) --no-print-directory suite

# An environment variable that stops Python from keeping its bytecode would make every start, and every figure, slower.
unexport PYTHONDONTWRITEBYTECODE

# A test must never meet the real home, and whatever a test leaves there must go away with it.
define IN_SCRATCH_HOME
home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT INT TERM && HOME="$$home"
endef

.DEFAULT_GOAL := help
.PHONY: help demo test-fast test test-all suite chaos namespaces check lint types types-linux types-darwin types-win32 floors docs-check docs bench lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## One real run through the real CLI on the embedded simulator; nothing leaves this machine
	@$(BOOTSTRAP) demo $(VENV)
	@. ./.tools/demo.env && $(BIN)/oneseat demo

# Started without .tools/test.env: a test in here that needs an official CLI fails.
test-fast: ## The tests of the parts, without an official CLI: a minute, and no npm
	@$(BOOTSTRAP) fast $(VENV)
	@$(IN_SCRATCH_HOME) $(PYTEST) -n auto -m fast $(ARGS)

test: ## Every check and every test
	@$(BOOTSTRAP) test $(VENV)
	@status=0; $(CHECK) || status=1; $(SUITE) || status=1; exit $$status

suite: # Every test, without the checks
	@$(BOOTSTRAP) test $(VENV)
	@. ./.tools/test.env && $(IN_SCRATCH_HOME) $(PYTEST) $(ARGS)

test-all: ## Every check, and every test on each Python from 3.11 to 3.14 that is installed here
	@$(PYTHON) -m scripts.test_all $(ARGS)

chaos: ## Kill a thousand runs at random moments and look at what is left (20 minutes); ARGS="--kills 100 --seed 7"
	@$(BOOTSTRAP) test $(VENV)
	@. ./.tools/test.env && $(IN_SCRATCH_HOME) $(BIN)/python -m tests.chaos $(ARGS)

namespaces: ## Let two PID namespaces share one home and look for lost runs (10 minutes); ARGS="--seconds 60"
	@$(BOOTSTRAP) test $(VENV)
	@. ./.tools/test.env && $(IN_SCRATCH_HOME) $(BIN)/python -m tests.chaos.namespaces $(ARGS)

check: lint types floors docs-check ## Lint, format, types for Linux, macOS and Windows, floors, freshness of generated pages

lint: .setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: types-linux types-darwin types-win32

types-linux: .setup
	$(BIN)/mypy --platform linux

types-darwin types-win32: types-%: .setup
	$(BIN)/mypy --platform $* --cache-dir .mypy_cache/$* src

floors: .setup
	$(BIN)/lint-imports

docs-check: .setup
	$(BIN)/python -m scripts.docs --check

docs: .setup ## Write the generated pages of docs/reference anew
	$(BIN)/python -m scripts.docs

bench: ## Measure against the peers and write docs/performance.md (installs the peers, 400 MB, on first use)
	@$(BOOTSTRAP) bench
	@. ./.tools/bench.env && $(IN_SCRATCH_HOME) .tools/bench-venv/bin/python -m bench $(ARGS)

lock: ## Renew the locks from pyproject.toml, scripts/claude-cli and scripts/codex-cli, and the price table; ARGS=--upgrade moves every pin
	@$(BOOTSTRAP) lock
	.tools/lock-venv/bin/python -m scripts.lock $(ARGS)

clean: ## Remove everything the other targets made
	rm -rf .venv .tools dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: .setup
.setup:
	@$(BOOTSTRAP) check $(VENV)
