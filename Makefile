# Everything a person types here: `make help`. Needs Python >= 3.11 (with venv) and make, nothing else.
#
#   PYTHON=python3.13      the interpreter that the environment is made with
#   INSTALLER=pip          install with pip alone (by default uv does it, several times faster)
#   WORKERS=4              test processes; 0 runs the tests in one
#   ARGS="-k wallet -x"    more arguments for pytest
#   MINUTES=10             soak: for so long
#   RUNS=10 SEED=7         chaos: so many storms, the first with this seed

PYTHON ?= python3
INSTALLER ?= uv
WORKERS ?= 2
ARGS ?=
SEED ?=
SERVE ?=
RUNS ?=
CHAOS ?=
MINUTES ?= 10

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PYTEST := $(PY) -m pytest -q
NO_SERVICES := not bench and not redis and not rabbitmq and not browser

DEMO_ARGS ?= $(if $(SEED),--seed $(SEED)) $(if $(filter 1 yes true,$(SERVE)),--serve) \
             $(if $(filter 1 yes true,$(CHAOS)),--chaos)

export RUNS SEED
export PYTHONUNBUFFERED := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-postgres test-sqlite test-hostile openapi fuzz test-brokers test-cov \
        properties soak interleavings mutants mutmut browser crash chaos matrix versus bench-simulator plans lint format types contracts migrations-check bench \
        docs reference send-memory wheel clean distclean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-24s %s\n", $$1, $$2}'

venv: $(READY)  ## the environment in .venv, with everything installed

demo: $(READY)  ## one bulk SMS from end to end; SEED=7 repeats it, SERVE=1 keeps it up, CHAOS=1 kills a worker
	@$(PY) example_project/manage.py bulksms_demo $(DEMO_ARGS)

test: test-postgres test-sqlite  ## the suite on PostgreSQL, then its fast database tests on SQLite

test-postgres: $(READY)  ## the suite on PostgreSQL (DATABASE_URL, or a server of its own)
	@echo "==> tests on PostgreSQL"
	@$(PYTEST) -n $(WORKERS) -m "$(NO_SERVICES)" $(ARGS)

test-sqlite: $(READY)  ## the fast tests that use a database, on SQLite
	@echo "==> fast database tests on SQLite"
	@env -u DATABASE_URL BULKSMS_TEST_DB=sqlite \
	    $(PYTEST) -n $(WORKERS) --db-only -m "$(NO_SERVICES) and not slow and not postgres" $(ARGS)

test-hostile: $(READY)  ## the API's tests in a host project that configures all it can against us
	@BULKSMS_TEST_HOST=hostile $(PYTEST) -n $(WORKERS) tests/api $(ARGS)

openapi: $(READY)  ## writes the OpenAPI document that the API serves
	@$(PY) -m tests.openapi

fuzz: $(READY)  ## schemathesis against a live server, all checks; ARGS="20 --limited --seed 8"
	@$(PY) -m tests.fuzz $(ARGS)

test-brokers: $(READY)  ## the tests against a real Redis and RabbitMQ (two URLs in the environment)
	@echo "==> tests against Redis and RabbitMQ"
	@$(PYTEST) -rs -m "redis or rabbitmq" $(ARGS)

test-cov: $(READY)  ## the suite on PostgreSQL, and which lines it did not reach
	@$(PYTEST) -n $(WORKERS) -m "$(NO_SERVICES)" --cov --cov-report=term-missing:skip-covered $(ARGS)

properties: $(READY)  ## the property tests at full length (2,000 cases through send_bulk, 200 by HTTP)
	@BULKSMS_CASES=2000 $(PYTEST) -n $(WORKERS) tests/properties \
	    "tests/flows/test_main_job.py::test_200_generated_cases_equal_the_reference_and_the_oracle" $(ARGS)

soak: $(READY)  ## bad days with fresh seeds for MINUTES=10; SEED=7 begins with that one
	@$(PY) -m tests.soak --minutes $(MINUTES) --parts $(WORKERS) $(if $(SEED),--seed $(SEED)) $(ARGS)

interleavings: $(READY)  ## two actors, every order of their statements; ARGS="--every 10" for a look
	@$(PY) -m tests.interleaving --parts $(WORKERS) $(ARGS)

mutants: $(READY)  ## planted bugs, one at a time: a named test must turn red for each
	@$(PY) -m tests.mutants

mutmut: $(READY)  ## mutmut on the pure modules: a survivor that nobody explained fails; ARGS=money
	@$(PY) -c 'import mutmut' 2> /dev/null || $(PY) -m pip install --quiet 'mutmut>=3.8,<3.9'
	@$(PY) -m tests.mutants.mutmut_run $(ARGS)

flow: $(READY)  ## flow control in real time: pace, a slow carrier beside a fast one, a million
	@$(PY) -m tests.flowcontrol

crash: $(READY)  ## workers that really die, at every point, with every kind of carrier
	@$(PY) -m tests.crash

versus: $(READY)  ## a retrying task around the carrier's SDK beside us: sent twice, lost, unexplained
	@$(PY) -m tests.versus

browser: $(READY)  ## the admin in a real Chromium (Debian: apt-get install chromium); pictures for docs
	@$(PY) -c 'import playwright' 2> /dev/null || $(PY) -m pip install --quiet 'playwright>=1.50,<2'
	@$(PYTEST) -rs -m browser tests/browser $(ARGS)

send-memory: $(READY)  ## bulksms_send in flat memory: 10,000 rows beside 200,000
	@$(PY) -m tests.commands.send_memory $(ARGS)

chaos: $(READY)  ## brokers, database and workers fall over at once; RUNS=10 storms in a row
	@$(PY) -m tests.chaos $(ARGS)

matrix: $(READY)  ## the suite on every Python/Django pair that is here (nox)
	@$(PY) -m nox $(if $(ARGS),-- $(ARGS))

lint: $(READY)  ## ruff: rules and format
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: $(READY)  ## let ruff repair what it can
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

types: $(READY)  ## mypy, strict
	@$(PY) -m mypy

contracts: $(READY)  ## which module may import which (setup.cfg, [importlinter])
	@$(VENV)/bin/lint-imports

migrations-check: $(READY)  ## fails when the models have changes that no migration has
	@$(PY) -m django makemigrations --check --dry-run --settings tests.settings --pythonpath .

bench: $(READY)  ## speed, as ratios to the bare database
	@$(PY) -m tests.benchmarks

plans: $(READY)  ## every statement of the hot paths explained over 1,000,000 finished messages
	@BULKSMS_FINISHED_ROWS=1000000 $(PYTEST) tests/scale $(ARGS)

bench-simulator: $(READY)  ## how much the fake carrier takes: messages, reports, memory
	@$(PY) -m tests.benchmarks.bench_simulator --memory

docs: $(READY)  ## the documentation as HTML in build/docs; a warning is an error
	@$(PY) -m sphinx -q -E -W --keep-going -d build/doctrees -b html docs build/docs
	@echo build/docs/index.html

reference: $(READY)  ## writes the pages of docs/reference that come from the code
	@$(PY) -m tests.docs.generate

wheel: $(READY)  ## dist/*.whl and dist/*.tar.gz
	@rm -rf build dist
	@$(PY) -m build --outdir dist . > $(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }
	@ls -l dist

clean:  ## remove what tools and builds left behind
	@rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache \
	    .mypy_cache .pytest_cache .ruff_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## clean, and remove the environment too
	@rm -rf $(VENV)

# Made again when the requirements change. The second install may fail: some systems have no wheel
# of the PostgreSQL server, and the tests then say what they use instead.
$(READY): setup.cfg pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(VENV)" INSTALLER="$(INSTALLER)" sh .ci/install
	@touch $(READY)
