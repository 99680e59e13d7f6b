# Everything here sets itself up in .venv and needs only make and Python 3.11 or newer.
# Another Python: make test PYTHON=python3.13

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

# Dozens of interpreters are started by the tests: let none compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test check real soak bench clean

help:
	@echo "make demo   see connections being lost, counted down and recovered, on servers of our own"
	@echo "make test   the tests that need no root and no other program"
	@echo "make check  format, lint, types, import contracts"
	@echo "make real   the tests against a real Asterisk and Kamailio (Debian, as root), and the screen over a socket"
	@echo "make soak   a week of faults in virtual time, then ten minutes of them over real sockets"
	@echo "make bench  the benchmarks; BENCH=\"ring imports\" for some of them"

demo: $(READY)
	@$(BIN)/trunkline demo

test: $(READY)
	$(BIN)/pytest -n 8 --dist worksteal --ignore=tests/real

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

real: $(READY)
	$(BIN)/pytest tests/real
	$(BIN)/pytest -n 4 tests/tui --over-socket

soak: $(READY)
	$(BIN)/python -m tests.soak week
	$(BIN)/python -m tests.soak minutes

bench: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group bench
	$(BIN)/python -m bench $(BENCH)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "trunkline needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try make PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . --group dev
	@touch $@
