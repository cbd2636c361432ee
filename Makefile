# Each of `make demo` and `make test` sets up all that it needs, once, in .venv.
# FiftyOne runs with a database and folders of its own: see tools/isolated.py.

PYTHON ?= python3
PORT ?= 5161# not FiftyOne's 5151, where an App of the user's own may run already
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ISOLATED := $(BIN)/python tools/isolated.py
SIDE_BY_SIDE ?= --numprocesses logical --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder
DEMO_DIR ?= .demo
DEMO := $(ISOLATED) --directory $(DEMO_DIR)
SET_UP := setup.py pyproject.toml requirements.txt tools/ensure_mongod.py \
	tools/mongod.py fiftyone_dfaulo/_version.py

.PHONY: help demo app test test-matrix lint docs pictures notebooks bench \
	release-check clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   find injected label faults in real digits, without a GPU"
	@echo "make app    open the App on what the demo makes"
	@echo "make test   make lint and all tests; ARGS='-k word' picks some"
	@echo "make test-matrix  a fast part of them on the oldest and newest FiftyOne"
	@echo "make lint   ruff, import-linter and mypy alone"
	@echo "make docs   the documentation as a site, in site/"
	@echo "make pictures   photographs the App anew for the documentation"
	@echo "make notebooks  runs the notebooks anew and keeps what they show"
	@echo "make bench  accuracy, time and memory (see examples/benchmark.py)"
	@echo "make release-check  build what is released, into dist, and use it"
	@echo "make clean  remove all that these made, except .venv"

demo: .venv/.ready
	@$(DEMO) sh -c '$(BIN)/fiftyone-dfaulo register && \
		$(BIN)/python examples/quickstart.py'

app: .venv/.ready
	@test -d $(DEMO_DIR) || $(MAKE) --no-print-directory demo
	@$(DEMO) $(BIN)/python examples/open_demo.py $(PORT)

test: lint
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

test-matrix: .venv/.ready-test
	@$(BIN)/python tools/matrix.py $(ARGS)

lint: .venv/.ready-test
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/mypy

docs: .venv/.ready-docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "Open site/index.html"

pictures: .venv/.ready-test
	@PYTHONPATH=$(CURDIR) $(ISOLATED) $(BIN)/python tools/pictures.py

notebooks: .venv/.ready-docs
	@$(ISOLATED) $(BIN)/python tools/notebooks.py

bench: .venv/.ready-bench
	@$(ISOLATED) --directory .bench $(BIN)/python examples/benchmark.py $(ARGS)

# The wheel and the archive that tests/test_install.py then installs and uses are these.
release-check: .venv/.ready-release
	@rm -rf build dist
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/python -m twine check --strict dist/*.whl dist/*.tar.gz
	@git archive --prefix=fiftyone-dfaulo/ --output dist/fiftyone-dfaulo-plugin.zip HEAD
	@DFAULO_DIST=dist $(ISOLATED) $(BIN)/python -m pytest tests/test_install.py

clean:
	rm -rf .bench .demo .matrix .mypy_cache .pytest_cache .ruff_cache build dist site \
		test-artifacts *.egg-info
	find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Some systems' Python has venv but not the pip that belongs into one.
.venv/bin/pip:
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv 2>/dev/null || { \
		$(PYTHON) -m venv --clear --without-pip .venv && \
		$(PYTHON) -m pip --python .venv/bin/python install --quiet pip; }

.venv/.ready: $(SET_UP) | .venv/bin/pip
	@echo "Installing into .venv; the first time this is several GB and takes minutes"
	@$(PIP) --editable .
	@$(BIN)/python tools/ensure_mongod.py
	@touch $@

.venv/.ready-test: .venv/.ready
	@echo "Installing the tools that the tests need"
	@$(PIP) --editable '.[test]'
	@touch $@

.venv/.ready-release: .venv/.ready-test
	@echo "Installing what builds a release"
	@$(PIP) --editable '.[release]'
	@touch $@

.venv/.ready-docs: .venv/.ready
	@echo "Installing what builds the documentation"
	@$(PIP) --editable '.[docs]'
	@touch $@

.venv/.ready-bench: .venv/.ready
	@echo "Installing what the benchmark compares with"
	@$(PIP) --editable '.[bench]'
	@touch $@
