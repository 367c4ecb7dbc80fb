# make answers   the answers document: answers.tex (makes .venv with what rendering needs)
# make test      everything is tested (makes the full environment)
# make env       the full environment in .venv: torch, plots, development tools
# make pdf       answers.pdf, where latexmk is installed
# make lint      ruff
# make bench     the quick benchmarks: tables of answers, times and ratios, in a few minutes

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: answers test env pdf lint bench clean

# The stamps say what is installed; a change of pyproject.toml installs again.
.venv/core: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/full: .venv/core
	$(PIP) --editable '.[torch,train,fused,plots,dev]'
	touch $@

env: .venv/full

# The document takes its place only when it is whole.
answers: .venv/core
	$(BIN)/python -m derivations.render > answers.tex.part
	mv answers.tex.part answers.tex

pdf: answers
	latexmk -pdf -interaction=nonstopmode -halt-on-error -quiet answers.tex

test: .venv/full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 -m 'not slow and not gpu'

lint: .venv/full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: .venv/full
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/render.py
	$(BIN)/python benchmarks/derive.py --repeat 1
	$(BIN)/python benchmarks/evaluate.py --sizes 100 --seconds 0.1

clean:
	rm -rf .venv answers.* build
