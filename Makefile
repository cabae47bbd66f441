PYTHON ?= .venv/bin/python
BIN = $(dir $(PYTHON))

.PHONY: demo test check format

demo:
	$(BIN)qvl demo

test:
	$(PYTHON) -m pytest

check:
	$(BIN)ruff format --check
	$(BIN)ruff check
	$(BIN)pyright --pythonpath $(PYTHON)
	$(BIN)lint-imports
	$(BIN)vulture
	$(BIN)deptry .

format:
	$(BIN)ruff format
	$(BIN)ruff check --fix
