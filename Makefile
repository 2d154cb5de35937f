# Every target makes the virtual environment it needs. CI runs the same names.
# Tests that need a Ray cluster run after the others, one by one: 5 is pytest's "none of them was asked for".
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: install run test lint bench chaos soak docs model clean

$(VENV)/.core: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	@touch $@

install: $(VENV)/.core

run: $(VENV)/.core
	$(BIN)/trader run $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest -m "not ray and not chaos and not soak" -n auto $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m "ray and not chaos and not soak" $(ARGS) || [ $$? -eq 5 ]

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench
	$(BIN)/python -m bench $(ARGS)

chaos: $(VENV)/.test
	$(BIN)/python -m pytest -m chaos $(ARGS)

soak: $(VENV)/.test
	$(BIN)/python -m pytest -m soak --timeout 7200 $(ARGS)

docs: $(VENV)/.test
	$(BIN)/python -m cluster.reference

model: $(VENV)/.test
	$(BIN)/python -m tune.train.shipped

clean:
	rm -rf $(VENV) build dist *.egg-info
