# The commands of the house. `make help` lists them; each one installs what it needs into .venv first.
#
# Recipes name only relative paths, so that a checkout in a directory with spaces works.

SHELL := /bin/sh
PYTHON := .venv/bin/python
HOST ?= 127.0.0.1
PORT ?= 9520
DATA_DIR ?= data
WORKERS ?= 2
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo serve test check format docs bench clean

help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

# The stamp makes a second call cheap; a changed project or lock file makes it old.
.venv/.installed: pyproject.toml uv.lock deploy/local/install.sh
	@sh deploy/local/install.sh
	@touch $@

install: .venv/.installed ## Make .venv; needs only Python >= 3.11 and a network.
	@:

demo: install ## Run the main job on a server of its own, with every step shown.
	@.venv/bin/artifact-manager demo

serve: install ## Run the service to stay (HOST, PORT, DATA_DIR).
	@exec .venv/bin/artifact-manager serve --host "$(HOST)" --port "$(PORT)" --data-dir "$(DATA_DIR)"

test: install ## Run all tests (WORKERS, PYTEST_ARGS).
	@$(PYTHON) -m tests.support.tools
	@$(PYTHON) -m pytest -n $(WORKERS) $(PYTEST_ARGS)

check: install ## Lint, format check, strict types, import directions.
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@PYTHONPATH=. .venv/bin/lint-imports

format: install ## Format, and repair what the linter can repair.
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

docs: install ## Write the generated parts of README.md and docs/ anew.
	@$(PYTHON) -m tests.docs.generated --write

bench: install ## Measure, and write benchmarks/RESULTS.md.
	@$(PYTHON) -m benchmarks.run

clean: ## Remove .venv and caches; ./data stays.
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
