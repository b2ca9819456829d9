# Needs only Python 3.11 or newer and pip: no compiler (test-all-avx2 apart), no running service.
# The project is installed from a wheel, so that tests and demo run what users install.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
INSTALL := $(PIP) install --constraint constraints.txt --no-build-isolation
# The light producer, the worker and the farm; see their pyproject.toml.
PARTS := . ./worker ./deploy
SOURCES := $(shell find shared worker producer deploy -name __pycache__ -prune -o -print)
# Few tests keep two cores busy, so they run in two halves of about equal time. Those of the models' twins,
# which share what they prepare, are in one of them.
TWINS := $(addprefix tests/integration/test_,recipes.py twins_saving_steps.py quantise.py)
BLOBS := $(addprefix tests/integration/test_,shared_blobs.py blobs_by_worker.py blob_roles.py)
ONE_HALF := tests/unit tests/contract tests/integration
OTHER_HALF := tests/faults tests/acceptance $(TWINS) $(BLOBS)
# One client needs a newer Python than ours; without one it is left out, and its test says so.
PYTHON_3_13 ?= $(shell for one in python3.13 $(HOME)/.pyenv/versions/3.13.*/bin/python3.13; do \
  "$$one" -c "" 2>/dev/null && echo "$$one" && break; done)
TOO_NEW := $(if $(PYTHON_3_13),,tests/clients/sd-api-mcp.txt)
CLIENTS := build/clients/node/.made \
  $(patsubst tests/clients/%.txt,build/clients/%/.made,$(filter-out $(TOO_NEW),$(wildcard tests/clients/*.txt)))
KILLS ?= 300
MINUTES ?= 60
SEED ?= 1
INPUTS ?= 1000000
# What decides that nothing is lost or doubled.
NEVER_LOSE := */winepress_shared/ledger/*,*/winepress_worker/renderer/*,*/winepress_worker/parent/*
AVX2_CPU := build/avx2_cpu.so
# In Debian a part of the package prometheus; what else needs it is in `make test-operations`.
ALERTS := promtool check config deploy/prometheus/prometheus.yaml >/dev/null && \
  promtool test rules tests/operations/alerts_test.yaml

.DEFAULT_GOAL := help
.PHONY: help install develop demo test check coverage bench clean check-deploy test-avx2 test-all-avx2 test-clients clients power \
  faults kills soak recovery fuzz mutants test-operations both-halves one-half other-half

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: $(VENV)/.wheel ## Create .venv with the pinned dependencies and the project's wheel

develop: $(VENV)/.dependencies ## Make .venv run this source tree, until the next install or test
	@$(INSTALL) --no-deps $(addprefix --editable ,$(PARTS))
	@rm -f $(VENV)/.wheel
	@echo "Try: $(BIN)/pytest tests/unit"

demo: install ## Run a whole farm on this machine, render pictures and kill a worker
	@$(BIN)/winepress demo

test: check ## Run all checks and tests, without the benchmarks
	@$(MAKE) --no-print-directory both-halves

both-halves:
	@$(BIN)/python -c 'import sys, winepress; sys.exit("site-packages" not in winepress.__file__ and \
	  "These tests are for the wheel: remove $(VENV)/.wheel and try again.")'
	@mkdir -p build; $(MAKE) --no-print-directory --keep-going --jobs=2 one-half other-half; \
	  ended=$$?; cat build/other-half.log; exit $$ended

# Not with the shell's "&": its processes ignore Ctrl-C, and so would the commands under test.
one-half:
	@$(BIN)/pytest $(ONE_HALF) $(addprefix --ignore=,$(OTHER_HALF))

other-half:
	@$(BIN)/pytest $(OTHER_HALF) >build/other-half.log 2>&1

# Where the disguise does not work, the ceiling does for these tests; CONTRIBUTING.md says why not for
# others.
test-avx2: install ## Run the arithmetic tests as on a processor without AVX-512
	@if $(MAKE) --silent $(AVX2_CPU) 2>/dev/null; then \
	  LD_PRELOAD=$(CURDIR)/$(AVX2_CPU) $(BIN)/pytest -m arithmetic; \
	else \
	  echo "No C compiler, or CPUID cannot fault here: only oneDNN keeps to AVX2, by a ceiling."; \
	  ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/pytest -m arithmetic; \
	fi

test-all-avx2: install $(AVX2_CPU) ## Run all tests so; needs a C compiler and Linux's cpuid_fault
	@LD_PRELOAD=$(CURDIR)/$(AVX2_CPU) $(MAKE) --no-print-directory both-halves

# Only where it works is it there.
$(AVX2_CPU): tests/support/avx2_cpu.c
	@mkdir -p $(@D)
	@$(CC) -O2 -Wall -Wextra -shared -fPIC -o $@.new $<
	@LD_PRELOAD=$(CURDIR)/$@.new env true
	@mv $@.new $@

test-clients: install clients ## Run the tests of clients with environments of their own
	@$(BIN)/pytest tests/clients

power: install ## Run the tests that cut the tail off a store
	@$(BIN)/pytest tests/power

test-operations: install ## Let every alert fire, compare all counts, scale a farm, cut its network
	@command -v prometheus >/dev/null && command -v promtool >/dev/null && command -v jq >/dev/null || \
	  { echo "Prometheus or jq is not there (Debian: apt-get install prometheus jq)."; false; }
	@$(BIN)/pytest tests/operations

clients: $(CLIENTS)

build/clients/sd-api-mcp/.made: PYTHON = $(PYTHON_3_13)

build/clients/%/.made: tests/clients/%.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --requirement $< || \
	  { rm -rf $(@D); false; }
	@touch $@

build/clients/node/.made: tests/clients/package.json tests/clients/package-lock.json
	@mkdir -p $(@D) && cp $^ $(@D)
	@npm ci --prefix $(@D) --silent --no-audit --no-fund || { rm -rf $(@D); false; }
	@touch $@

check: install ## Check lint, formatting, types, layers, alert rules and the files of deploy/
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint deploy/Dockerfile
	@$(BIN)/yamllint --strict deploy
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	@$(BIN)/check-jsonschema --quiet --check-metaschema deploy/chart/values.schema.json
	@$(BIN)/shellcheck .ci/run
	@if command -v promtool >/dev/null; then $(ALERTS); else \
	  echo "The alert rules were not run: promtool is not there (Debian: apt-get install prometheus)."; fi

# As on a machine where the program is at /opt/winepress. A rating of 10 is unprotected.
check-deploy: install ## Have systemd verify the units and rate them; needs Debian's systemd
	@command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing: apt-get install systemd"; false; }
	@rm -rf build/units && mkdir -p build/units
	@for unit in deploy/systemd/*.service; do \
	  sed 's|/opt/winepress/bin/|$(CURDIR)/$(BIN)/|' $$unit >build/units/$$(basename $$unit); done
	@cp deploy/systemd/*.timer build/units/
	@systemd-analyze verify build/units/*.service build/units/*.timer
	@for unit in build/units/*.service; do \
	  systemd-analyze security --offline=true --threshold=30 --no-pager $$unit >$$unit.rating; \
	  ended=$$?; tail -n 1 $$unit.rating; [ $$ended = 0 ] || exit 1; done

coverage: install ## Measure test coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ONE_HALF) tests/faults
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered
	@$(BIN)/coverage report --include='$(NEVER_LOSE)'

faults: install ## Test every fault of the table in RELIABILITY.md, and print the verdicts: SEED=1
	@SEED=$(SEED) PYTHONPATH=tests $(BIN)/pytest tests/faults tests/integration -p faults.verdicts -m case

kills: install ## SIGKILL workers, broker and store at random phases: KILLS=300 SEED=1
	@PYTHONPATH=tests $(BIN)/python -m faults.harness kills --kills $(KILLS) --seed $(SEED) \
	  $(if $(filter real,$(WORKERS)),,--forked)

soak: install ## Disturb a farm at random, and see whether anything grows: MINUTES=60 SEED=1
	@PYTHONPATH=tests $(BIN)/python -m faults.harness soak --minutes $(MINUTES) --seed $(SEED)

fuzz: install ## Put broken inputs into every door of the product: INPUTS=1000000 SEED=1
	@PYTHONPATH=tests $(BIN)/python -m fuzz --inputs $(INPUTS) --seed $(SEED) $(addprefix --door ,$(DOOR))

mutants: install ## Change the ledger bit by bit, and see whether a test notices: SEED=1 MOST= SOURCE=
	@PYTHONPATH=tests $(BIN)/python -m mutation --seed $(SEED) $(if $(MOST),--most $(MOST)) \
	  $(addprefix --source ,$(SOURCE))

recovery: install ## Throughput of a farm before and after faults
	@PYTHONPATH=tests $(BIN)/python -m faults.harness recovery

bench: install ## Run every benchmark
	@set -e; for script in tests/benchmarks/bench_*.py; do echo "== $$script"; PYTHONPATH=tests $(BIN)/python $$script; done

clean: ## Remove .venv and all built or cached files
	@rm -rf $(VENV) build dist winepress-demo .coverage* .cache .hypothesis .*_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.dependencies: pyproject.toml worker/pyproject.toml deploy/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Winepress needs Python 3.11 or newer; %s is %d.%d. Name another one: make PYTHON=python3.12" \
	  % (sys.executable, *sys.version_info[:2]))'
	@echo "Installing the pinned dependencies into $(VENV): some minutes the first time."
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
	  { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --quiet --python $(BIN)/python install pip; }
	@$(INSTALL) hatchling
	@$(INSTALL) --editable '.[worker,local,dev]' $(addprefix --editable ,$(filter-out .,$(PARTS)))
	@touch $@

# Wheels of the same version replace the last ones; the dependencies are there already.
$(VENV)/.wheel: $(VENV)/.dependencies README.md LICENSE $(SOURCES)
	@rm -rf build/wheel
	@$(PIP) wheel --no-build-isolation --no-deps --wheel-dir build/wheel $(PARTS)
	@$(INSTALL) --no-deps --force-reinstall build/wheel/winepress*.whl
	@touch $@
