# The commands of the book. `make` alone lists them.
#
#     make PYTHON=python3.12 lab              with another Python, when .venv is made
#     make LAB_ARGS="--no-browser" lab        JupyterLab's own options

PYTHON = python3
LAB_ARGS =

BIN = $(if $(filter Windows_NT,$(OS)),.venv/Scripts/,.venv/bin/)
VERSIONS = pyproject.toml constraints.txt tools/setup.sh

.DEFAULT_GOAL = help
.PHONY: help lab test book claims bench site check update clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: .venv/ready-for-lab ## open the book in JupyterLab (installs what it needs first)
	@OMP_NUM_THREADS=1 JUPYTER_PREFER_ENV_PATH=1 JUPYTER_PATH= $(BIN)jupyter lab --FileContentsManager.preferred_dir=chapters $(LAB_ARGS)

test: .venv/ready-for-test ## everything that is checked, in the order in which CI checks it
	$(BIN)ruff format --check .
	$(BIN)ruff check .
	$(BIN)mypy
	$(BIN)lint-imports
	$(BIN)pytest
	$(BIN)pytest --nbval-lax --nbval-current-env --numprocesses=2 --dist=loadfile chapters solutions

book: .venv/ready-for-test ## build the notebooks whose source in solutions/ has changed
	$(BIN)python tools/book.py

claims: .venv/ready-for-test ## run the claims that need many seeds and have no valid record
	$(BIN)python -m claims

bench: .venv/ready-for-bench ## measure steps per second beside stable-baselines3, some fifteen minutes
	$(BIN)python -m bench

site: .venv/ready-for-site ## build the book as a web site into build/site, from the stored notebooks
	$(BIN)python tools/website.py

check: .venv/ready-for-lab ## check the installation, line by line
	@$(BIN)python -P a3c_lib/app/check.py

update: ## put your edited notebooks into my/ and get the newest version of the book
	@tools/update.sh

clean: ## remove .venv and everything else that the commands made; my/ stays
	rm -rf .venv build *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready-for-lab: $(VERSIONS)
	@tools/setup.sh lab "$(PYTHON)"

.venv/ready-for-bench: $(VERSIONS)
	@tools/setup.sh bench "$(PYTHON)"

.venv/ready-for-site: $(VERSIONS)
	@tools/setup.sh site "$(PYTHON)"

.venv/ready-for-test: $(VERSIONS)
	@tools/setup.sh test "$(PYTHON)"
