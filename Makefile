# The whole vocabulary: setup demo run test quick check bench. Each brings what it needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: help setup demo run test quick check bench

help:
	@echo "make setup   make .venv and bring the system parts"
	@echo "make demo    a minute of synthetic radio, tagged live"
	@echo "make run     the daemon; ARGS='--source URI --station ID' (default: the sound card)"
	@echo "make quick   the fast tests (under a minute)"
	@echo "make test    all tests, with real servers"
	@echo "make check   ruff, mypy, import-linter"
	@echo "make bench   all benchmarks, JSON"

setup: .dev/python .dev/system .dev/training

# The product and its checks; no torch. Enough for demo, run and check.
.dev/python: pyproject.toml constraints.txt
	$(PYTHON) scripts/setup.py python

# PortAudio for the sound card; PulseAudio, Icecast, ffmpeg for the tests.
.dev/system: scripts/setup.py
	$(PYTHON) scripts/setup.py system

# torch and torchaudio, for training and the tests of it.
.dev/training: pyproject.toml constraints.txt .dev/python
	$(PYTHON) scripts/setup.py training

demo: .dev/python
	$(BIN)/genrecast demo $(ARGS)

run: .dev/python
	$(BIN)/genrecast run $(ARGS)

quick: setup
	$(BIN)/pytest -q -m "not system and not slow" $(ARGS)

test: setup
	$(BIN)/pytest $(ARGS)

check: .dev/python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m bench
