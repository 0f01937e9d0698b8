# Every target sets up what it needs and is quick the second time.
#   make demo   the whole pipeline on the embedded corpus, ends by itself
#   make lab    JupyterLab on the walkthrough
#   make test   unit, property, contract, notebook and real-browser tests
#   make lint   ruff and mypy
#   make bench  speed and memory, as ratios measured in one run

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help demo lab test lint format bench clean

help:
	@sed -n '2,6s/^# *//p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "HandPrior needs Python 3.11 or newer; found $$($(PYTHON) --version). Use: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing HandPrior into $(VENV) (once; a minute or two) ..."
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(PIP) install -c constraints.txt -e '.[test,openhand]'
	@touch $@

$(VENV)/.system-graphics: | $(BIN)/python
	@sh .ci/system-packages graphics && touch $@

$(VENV)/.system-browser: | $(BIN)/python
	@sh .ci/system-packages browser && touch $@

demo: $(VENV)/.installed $(VENV)/.system-graphics
	@$(BIN)/handprior demo

lab: $(VENV)/.installed $(VENV)/.system-graphics
	@$(BIN)/handprior lab

test: $(VENV)/.installed-test $(VENV)/.system-graphics $(VENV)/.system-browser
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.installed-test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-test $(VENV)/.system-graphics $(VENV)/.system-browser
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
