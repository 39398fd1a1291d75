# Everything a newcomer types. `make demo` and `make test` need nothing but Debian and Python 3.11.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# compiled once, not by every process that a test starts, whatever the shell says
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-dev demo test serve check shuffled deep full mutation mutation-edge fuzz kills forms entrances engine validators spark bench attack endurance openapi rulebooks lock clean

setup: $(VENV)/.run ## the service alone: system libraries, virtual environment, locked dependencies
setup-dev: $(VENV)/.dev ## the same with what tests and checks need

$(VENV)/.run: requirements.lock pyproject.toml scripts/system-libraries
	scripts/system-libraries
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock tests/support/report_validators/package-lock.json
	scripts/system-libraries tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	-command -v npm >/dev/null && npm ci --prefix tests/support/report_validators --ignore-scripts --no-audit --no-fund --silent
	scripts/fhir-checks
	scripts/smart-checks
	touch $@

demo: setup ## one real intake over HTTP: a table, demo/assessment.json and demo/report.pdf
	python scripts/demo.py

test: setup-dev ## the suite; of tests that differ in database, language or size alone, one; samples
	TEST_SAMPLE=1 python -m pytest -n 3 --dist worksteal

serve: setup ## keeps running and prints where to sign in; another port: PORT=8080 make serve
	nociscreen serve --port $(PORT)

check: setup-dev ## what must hold before anything else
	ruff format --check .
	ruff check .
	python scripts/check_names.py
	python scripts/check_prose.py
	mypy
	lint-imports --no-cache
	bandit --quiet --recursive api scoring schemas reports
	nociscreen rulebook check scoring/rulebooks/nociplastic/1.0.0.toml
	nociscreen rulebook check scoring/rulebooks/nociplastic/2.0.0.toml
	nociscreen rulebook check scoring/rulebooks/phq4/1.0.0.toml
	nociscreen openapi --check
	python scripts/contract/breaking_changes.py
	python scripts/reference.py --check
	python scripts/clinical_page.py --check
	python scripts/safety_pages.py --check

shuffled: setup-dev ## the suite ten times, each in another random order
	for seed in 1 2 3 4 5 6 7 8 9 10; do TEST_SAMPLE=1 python -m pytest -n 3 --dist worksteal -p pytest_randomly --randomly-seed=$$seed || exit 1; done

deep: full mutation fuzz kills attack forms validators entrances engine spark contract supply ## the long runs

full: setup-dev ## the suite with every test on both databases, in every language and at every size
	python -m pytest -n 3 --dist worksteal

mutation: setup-dev ## mutants of scoring/ that no test kills, with what each changes
	rm -rf mutants
	POLARS_MAX_THREADS=1 HYPOTHESIS_PROFILE=mutation python scripts/mutation.py scoring

mutation-edge: setup-dev ## the same for what the network reaches; no part of `make deep`
	rm -rf mutants
	TEST_SAMPLE=1 POLARS_MAX_THREADS=1 HYPOTHESIS_PROFILE=mutation python scripts/mutation.py edge

fuzz: setup-dev ## the laws with many more examples, and a long run over the API
	HYPOTHESIS_PROFILE=deep python -m pytest -n 2 tests/scoring/test_laws.py tests/scoring/second_rules tests/scoring/columns/test_agreement.py \
		tests/api/batch_scoring/test_counts_add_up.py tests/api/batch_scoring/test_damaged_files.py
	TEST_FUZZ_EXAMPLES=300 TEST_FUZZ_SECONDS=600 python -m pytest tests/contract/test_schemathesis.py

kills: setup-dev ## kill -9 while sixteen clients write, fifty times on each database; of batches, twenty
	TEST_KILLS=50 python -m pytest -n 2 tests/faults/test_kill.py
	TEST_UPDATES=60 python -m pytest tests/api/store/database/test_engine.py
	TEST_BATCH_KILLS=20 python -m pytest tests/faults/test_batch_kill.py
	TEST_KILLS=50 python -m pytest -n 2 tests/faults/test_kill_sender.py

attack: setup-dev ## hostile requests, tokens and texts over loopback; kills, full disks, broken networks, silent peers
	TEST_LOOPBACK=1 TEST_NETWORK_ROUNDS=10 python -m pytest -n 2 --dist worksteal tests/contract tests/schemas tests/reports/test_hostile.py \
		tests/api/auth tests/api/http tests/api/security tests/api/store/database/test_tenancy.py tests/api/inbound tests/faults \
		tests/api/desk/access tests/api/oauth tests/api/batches/test_mappings.py tests/api/deliveries/test_subscriptions.py

endurance: setup-dev ## ten minutes at the highest load: answers a second, and whether memory grows
	python -m bench.endurance

spark: setup-dev ## the same rules in a local Spark; needs Java, downloads PySpark
	python -m pip install --quiet --disable-pip-version-check --editable '.[spark]'
	TEST_SPARK=1 python -m pytest tests/scoring/columns/test_arrow.py

engine: setup ## the scorer as a wheel of its own, built twice, and its recipes in an empty environment
	$(BIN)/python scripts/engine_wheel.py build/engine
	$(BIN)/python scripts/engine_wheel.py build/engine-again
	cmp build/engine/*.whl build/engine-again/*.whl
	$(PYTHON) -m venv --clear build/engine-environment
	build/engine-environment/bin/python -m pip install --quiet --disable-pip-version-check build/engine/*.whl
	build/engine-environment/bin/python -I -c "import nociscreen_engine"
	build/engine-environment/bin/python -m pip install --quiet --disable-pip-version-check duckdb 'pandas<3' pyarrow
	build/engine-environment/bin/python -I scripts/page_recipes.py docs/engine.md

entrances: setup-dev ## 20,000 random intakes through every way in, compared with the engine
	TEST_ENTRANCES=20000 python -m pytest tests/api/batch_scoring/test_entrances.py

validators: setup-dev ## every example in every language, before the validators of PDF and CDA
	TEST_EVERY_LANGUAGE=1 python -m pytest tests/reports/test_validators.py

forms: setup-dev ## a thousand random answer sets, filled in by LHC-Forms and scored here; 2,000 more, put as they were read
	TEST_FORMS=1000 python -m pytest tests/api/fhir/test_lhc_forms.py
	TEST_EMITTED=2000 python -m pytest tests/api/fhir/test_emit_then_accept.py

bench: setup-dev ## every figure a ratio taken in one run, beside its goal
	python -m bench.run

openapi: setup ## openapi/, docs/reference/, docs/clinical/ and the hazard log
	nociscreen openapi
	python scripts/reference.py
	python scripts/clinical_page.py
	python scripts/safety_pages.py

rulebooks: setup ## check every rulebook that ships
	for file in scoring/rulebooks/*/*.toml; do nociscreen rulebook check $$file || exit 1; done

lock: ## the locks, with hashes and without any address
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --constraint requirements.lock \
		--group dev --group bench pyproject.toml --output-file requirements-dev.lock

.PHONY: drill
drill: setup-dev ## a dump and a restore on a PostgreSQL of its own, as the documented roles
	python -m pytest tests/api/cli/administration/test_database_commands.py -k drill

.PHONY: docs
docs: setup-dev ## the documentation site in build/site; fails on a broken link or a page without a place
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict

.PHONY: contract
contract: setup-dev ## the description before three linters; clients by four generators do the main job
	python scripts/contract/clients.py

.PHONY: supply
supply: setup-dev ## no secret in the repository; two builds of the wheel equal byte for byte
	python scripts/supply.py

.PHONY: sbom
sbom: setup-dev ## build/sbom.json: the locked run-time packages as CycloneDX, with licences and hashes
	python scripts/sbom.py

.PHONY: walks
walks: setup-dev ## the four tutorials, timed: commands and seconds of each
	python scripts/walks.py

.PHONY: image-steps
image-steps: ## the steps of deploy/Dockerfile in a clean folder, without Docker; then a report by what they made
	$(PYTHON) scripts/image_steps.py

clean:
	rm -rf $(VENV) demo mutants
