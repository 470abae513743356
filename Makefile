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
	@echo "make bench   all benchmarks, JSON and a table; ARGS=--readme puts it into README.md"

setup: .dev/python .dev/system .dev/training

# The product and the tools that check it; no torch. Enough for demo and run.
.dev/python: pyproject.toml constraints.txt .venv/pyvenv.cfg
	@$(PYTHON) scripts/setup.py python

# The step above makes it; where somebody took .venv away, the steps begin anew.
.venv/pyvenv.cfg:

# PortAudio, for the sound card.
.dev/sound: scripts/setup.py
	@$(PYTHON) scripts/setup.py sound

# PortAudio, and PulseAudio, Icecast, ffmpeg for the tests.
.dev/system: scripts/setup.py
	@$(PYTHON) scripts/setup.py system

# torch and torchaudio, for training, export, their types and tests.
.dev/training: pyproject.toml constraints.txt .dev/python
	@$(PYTHON) scripts/setup.py training

# exec: Ctrl-C reaches the command alone, which ends in its own way.
demo: .dev/python
	@exec $(BIN)/genrecast demo $(ARGS)

run: .dev/python .dev/sound
	@exec $(BIN)/genrecast run $(ARGS)

quick: setup
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not system and not slow" $(ARGS)

test: setup
	$(BIN)/pytest -n 3 --dist loadfile $(ARGS)

check: .dev/training
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m bench $(ARGS)
