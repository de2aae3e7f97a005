# The verbs of this project; `make` alone lists them.
# PYTHON names the Python (3.11 or newer) that the environments are made with: make setup PYTHON=python3.12

PYTHON ?= python3
SHELL := /bin/sh
BIN := .venv/bin
BIN5 := .venv-tf5/bin
MADE := .venv/.made
MADE5 := .venv-tf5/.made
ROOMS := audit probes reports

# Tests and benchmarks never look for a model hub.
OFFLINE := HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
# Tests run in as many processes as there are cores, file by file, each with one thread of its own.
MANY := $(OFFLINE) OMP_NUM_THREADS=1
SPREAD := -n auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup setup-tf5 demo test test-slow test-tf5 check bench clean

help:
	@echo "make setup      make the environment .venv and install everything into it (once)"
	@echo "make demo       bring two small models and real text, fine-tune one, audit both"
	@echo "make test       the tests that take seconds"
	@echo "make test-slow  the tests that take longer"
	@echo "make test-tf5   the tests of the models on transformers 5, in an environment of its own"
	@echo "make setup-tf5  make that environment, .venv-tf5"
	@echo "make check      lint, format and types"
	@echo "make bench      how fast models are asked, against other ways"
	@echo "make clean      remove what checks and tests left (environments and audit-out/ stay)"

setup: $(MADE)

setup-tf5: $(MADE5)

# Made again when what is to be installed changes; a failed install leaves no mark and is tried again.
$(MADE): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[attack,gguf,hub,adapters,toxicity,test]"
	@touch $@

$(MADE5): pyproject.toml constraints.txt
	@test -x $(BIN5)/pip || $(PYTHON) -m venv .venv-tf5
	$(BIN5)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[gguf,hub,adapters,test]" "transformers>=5,<6"
	@touch $@

demo: setup
	$(BIN)/audit demo

test: setup
	$(MANY) $(BIN)/python -m pytest $(SPREAD) -m "not slow"

test-slow: setup
	$(MANY) $(BIN)/python -m pytest $(SPREAD) -m slow

test-tf5: setup-tf5
	$(MANY) $(BIN5)/python -m pytest $(SPREAD) -m "not slow" tests/audit/models

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(ROOMS)

bench: setup
	$(OFFLINE) $(BIN)/python tests/benchmarks/scoring.py

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
