# Two commands: `make run` and `make test`. Both make .venv first, and again when setup.cfg or pyproject.toml change.
# `make bench-peers` installs what `python -m bench` measures beside regproxy, below .bench/.

PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python3.14; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CONFIG := etc/regproxy.toml
# The tests begin hundreds of processes: what one has compiled, the others read.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lint types unit faults soak wheel bench-peers clean

run: $(STAMP)
	PYTHONPATH=. $(BIN)/twist --log-format=text regproxy --config $(CONFIG)

test: lint types unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# Most tests wait for something: three parts beside each other, the longest first. OPTIONS are pytest's.
PARTS := wire clients faults cli
UNIT := $(PARTS:%=unit-%) unit-rest
.PHONY: $(UNIT) unit-complete clients checked-wheel
unit: $(STAMP)
	$(MAKE) -k -j3 $(UNIT)

$(PARTS:%=unit-%): unit-%: $(STAMP)
	$(BIN)/python -m pytest -q $(OPTIONS) tests/$*
unit-rest: $(STAMP)
	$(BIN)/python -m pytest -q $(OPTIONS) $(PARTS:%=--ignore=tests/%)

# No client test skipped, and a wheel that serves. The longest part needs no client: it runs while they are installed.
unit-complete: export REGPROXY_REQUIRE_CLIENTS := 1
unit-complete: $(STAMP)
	$(MAKE) -k -j3 unit-wire clients types checked-wheel $(UNIT)

# Where every client is required, those that are missing are installed before their tests.
clients: $(STAMP)
	.ci/install-clients
$(if $(REGPROXY_REQUIRE_CLIENTS),unit-clients unit-faults: clients)

checked-wheel: $(STAMP)
	.ci/check-wheel

# The fault matrix in real time, with 200 clients and 256 MiB (docs/design/faults.md).
faults: $(STAMP)
	REGPROXY_FULL=1 $(BIN)/python -m pytest -q --durations=20 tests/faults $(addprefix tests/wire/test_,crowd.py limits.py stall.py)

# A real server, bad weather upstream, clients of all kinds; MINUTES, CLIENTS and SEED choose.
soak: $(STAMP)
	$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),10) --clients $(or $(CLIENTS),50) $(if $(SEED),--seed $(SEED))

wheel: $(STAMP)
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

bench-peers: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]' --config-settings editable_mode=compat
	bench/install

# An editable install of the compat kind: the other kinds hide twisted/plugins from `twist`.
$(STAMP): setup.cfg pyproject.toml
	@test -n "$(PYTHON)" || { echo "regproxy needs Python 3.11 or newer with its venv module (Debian: python3-venv)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]' --config-settings editable_mode=compat
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Small mistakes in store and stream, which the tests have to notice; takes an hour. COUNT and SEED choose.
.PHONY: mutants
mutants: $(STAMP)
	$(BIN)/python -m tests.mutants --count $(or $(COUNT),200) $(if $(SEED),--seed $(SEED))
