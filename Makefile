# Every target does the whole set-up on a fresh machine with Python 3.11 or 3.12. Nothing else is needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
# On all cores, which pip does on one: where the environment forbids Python to write bytecode, each of a
# dozen processes would compile torch for itself, six seconds of it. A package that will not compile is passed over.
COMPILE = $(BIN)/python -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib >/dev/null 2>&1 || true

# The same of ours, where it has changed: tests start hundreds of processes.
COMPILE_OURS = $(BIN)/python -m compileall -q -j 0 sandbox services faults loadtest >/dev/null 2>&1 || true

# Debian's chromium, for tests that look at pages; where it cannot be had they say how to get it.
BROWSER = for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
  echo "· installing chromium for the tests of the pages" >&2; \
  (apt-get update && apt-get install -y --no-install-recommends chromium) >/dev/null 2>&1 || true

.PHONY: setup develop drill test test-slow test-all bench lint types layers docs clean

setup: $(VENV)/.installed
develop: $(VENV)/.developing

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' || \
	  { echo "Python 3.11 or 3.12 is needed, $(PYTHON) is another: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "· creating $(VENV) and installing pinned dependencies (first time: a few minutes)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[web]'
	@$(COMPILE)
	@touch $@

$(VENV)/.developing: $(VENV)/.installed
	@echo "· installing what tests and checks need" >&2
	@$(PIP) -e '.[dev]'
	@$(COMPILE)
	@touch $@

# With a terminal: opens a room, in which you are paged, and prints its address (SANDBOX_SCREEN=terminal: the drill
# shell instead). Without: a scripted responder runs the same drill.
drill: setup
	@if [ -t 0 ] && [ -t 1 ] && [ "$$SANDBOX_SCREEN" != terminal ]; \
	  then exec $(BIN)/sandbox room start --gentlest --backend live; \
	  else exec $(BIN)/sandbox drill start --gentlest; fi

test: develop
	@$(COMPILE_OURS)
	@$(BIN)/python -m pytest -n 2 -m "not slow"

# What takes minutes: whole drills of every scenario, live and virtual, people's terminals, pages in a browser, the
# docs' programs.
test-slow: develop
	@$(COMPILE_OURS)
	@$(BROWSER)
	@$(BIN)/python -m pytest -n 2 -m slow

test-all: test test-slow

bench: setup
	@mkdir -p bench-out
	@for name in stack serving features faults virtual warroom overload; do \
	  echo "· bench $$name" >&2; $(BIN)/sandbox bench $$name --json > bench-out/$$name.json || exit 1; cat bench-out/$$name.json; done
	@if [ -n "$(AGAINST)" ]; then echo "· bench serving --against" >&2; \
	  $(BIN)/sandbox bench serving --against "$(AGAINST)" --knee --json > bench-out/against.json || exit 1; cat bench-out/against.json; fi
	@echo "· profile" >&2; $(BIN)/sandbox profile --out bench-out --json > bench-out/profile.json && cat bench-out/profile.json

lint: develop
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: develop
	@$(BIN)/mypy

layers: develop
	@$(BIN)/lint-imports

# Generated references; `make docs` writes them, CI fails when they are out of date.
docs: develop
	@$(BIN)/python -m sandbox.telemetry.reference > docs/sql.md
	@$(BIN)/python -m faults.reference > docs/faults.md
	@$(BIN)/python -m faults.reference --points docs/writing-a-fault.md > docs/writing-a-fault.new
	@mv docs/writing-a-fault.new docs/writing-a-fault.md
	@$(BIN)/python -m sandbox.cli.reference > docs/cli.md
	@$(BIN)/python -m sandbox.privacy.reference docs/privacy.md > docs/privacy.new
	@mv docs/privacy.new docs/privacy.md
	@$(BIN)/python -m sandbox.warroom.reference > docs/api.md
	@$(BIN)/python -m sandbox.drill.scenario.schema > scenarios/schema.json
	@$(BIN)/python -m services.proto.generate

clean:
	rm -rf $(VENV) bench-out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
