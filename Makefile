# Two commands for a newcomer: make demo, make test. Everything else is named by make help.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench evaluate setup start stop clean
ARGS ?=
with_services := scripts/with_services.py scripts/run
# A file's tests stay together: they share what takes long to make. Each process has a database and about 1.4 GB of its own.
side_by_side := -n auto --maxprocesses 4 --dist loadfile

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Load a made-up city and serve the site until Ctrl-C (NTL_PORT=8000)
	@scripts/setup.sh
	@$(with_services) scripts/demo.sh

test: ## Run the tests (ARGS="tests/cases -x" for some of them)
	@scripts/setup.sh --browser
	@$(with_services) python -m pytest $(or $(ARGS),$(side_by_side))

check: ## Check format, lint, import directions, migrations, production settings, scripts
	@scripts/setup.sh
	@$(with_services) scripts/check.sh

bench: ## Measure, print, and write bench/results.json
	@scripts/setup.sh
	@$(with_services) python -m bench $(ARGS)

evaluate: ## Grade the detectors (ARGS=--quick: in under three minutes; docs/evaluation.md)
	@scripts/setup.sh
	@scripts/run python -m ml evaluate $(ARGS)

setup: ## Install what is missing: system packages, .venv, node_modules
	@scripts/setup.sh

start: ## Start this clone's own PostgreSQL and Redis, to stay
	@scripts/services.sh start

stop: ## Stop everything that runs from this clone
	@scripts/with_services.py --end-all
	@scripts/services.sh stop

clean: ## Stop, and remove all that was made here: .venv, node_modules, the private database with its uploads
	@$(MAKE) --no-print-directory stop
	@scripts/services.sh remove
	rm -rf .venv node_modules .state .pytest_cache .ruff_cache .import_linter_cache .hypothesis test-results
