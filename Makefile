# What a user types. `make` alone lists the targets; demo and test need nothing before them on a fresh clone but
# Python 3.11-3.13, make and a network.

PYTHON ?=
INSTALL ?= -e '.[dev]'
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test nemesis test-faults test-slow test-drills check docs sbom test-secure pictures bench-daily bench-recs bench-http bench-backfill soak bench bench-quick clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## make .venv and fetch Kafka's jars, no more
	@$(BIN)/python -m stack

$(READY): pyproject.toml constraints.txt $(wildcard streams/*.pxi streams/*/*.pyx streams/*/*.pxi streams/*/*/*.pyx)
	@found=; for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; \
	  then found=$$python; break; fi; done; \
	if [ -z "$$found" ]; then echo "make: no Python 3.11, 3.12 or 3.13 (with venv) found; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; fi; \
	if ! $(BIN)/python -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; then \
	  echo "making .venv with $$($$found -V)" >&2; rm -rf .venv; "$$found" -m venv .venv; fi
	@echo "installing into .venv" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INSTALL) -c constraints.txt
	@touch $@

demo: setup  ## a month of real Fitbit data into verified daily totals, and a trending list that moves; KEEP=1: and the page
	@$(BIN)/daybook demo $(if $(KEEP),--keep)

test: setup check  ## all tests, on real servers in temporary folders
	@$(BIN)/python -m pytest -q -n 2 --no-loadscope-reorder

SEED ?= 1
MINUTES ?= 10
EVENTS ?= 2000000

nemesis: setup  ## faults on everything while events flow, then the verdict: SEED="1 2 3" MINUTES=10 EVENTS=2000000
	@for seed in $(SEED); do $(BIN)/python tests/faults/faults_run.py --seed $$seed --minutes $(MINUTES) --events $(EVENTS) \
	  $(if $(KEEP),--keep $(KEEP)) || exit 1; done

test-faults: nemesis  ## the nemesis, then every fault alone by the law that it must not break (half an hour in all)
	@$(BIN)/python -m pytest -q -s -m 'slow or not slow' tests/faults tests/integration/test_runtime_exact.py

test-slow: setup  ## the suites that take minutes: kills in a replay, audit, rebuild, old days and trending under kill -9
	@$(BIN)/python -m pytest -q -m slow

test-drills: setup  ## what an operator does on a bad day: upgrade, rollback, restores, the loss of Kafka; says how long each step took
	@$(BIN)/python -m pytest -q -s -m slow tests/drills

check: $(READY)  ## ruff, mypy, import rules
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@told=$$($(BIN)/lint-imports --no-cache 2>&1) || { echo "$$told"; exit 1; }

docs: $(READY)  ## the documents as a site in build/docs/site, every link and anchor checked; needs what nothing else here does
	@$(BIN)/python -c 'import zensical' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]' -c constraints.txt
	@$(BIN)/python docs/build.py

sbom: setup  ## build/daybook.cdx.json: all that is installed, with versions, licences and digests (CycloneDX)
	@$(BIN)/python deploy/sbom.py build/daybook.cdx.json

test-secure: setup  ## Kafka as it is deployed: TLS, a login and a list of rules for every role; the whole of Daybook on it
	@$(BIN)/python -m pytest -q -m 'slow or not slow' tests/integration/test_secure_kafka.py tests/e2e/test_secure_live.py

pictures: setup  ## docs/pictures: the page as its test sees it, in a headless Chromium
	@DAYBOOK_PICTURES=docs/pictures $(BIN)/python -m pytest -q -m slow -k all_views_can_be_read tests/e2e/test_page.py

bench-daily: setup  ## one core, 1,000,000 meals: events a second of the daily stream
	@$(BIN)/python -m bench.daily

bench-recs: setup  ## recommendations on a time split of the generator: hit rate and coverage beside popularity and random
	@$(BIN)/python -m bench.recs

bench-http: setup  ## the HTTP service: events taken, numbers given, and what happens past its limit
	@$(BIN)/python -m bench.http

bench-backfill: setup  ## a changed metric over 1,000,000 user-days beside 2,000 live events a second: do those stay fresh?
	@$(BIN)/python -m bench.backfill $(ARGS)

soak: setup  ## writes and reads for MINUTES=10, then everything is verified: p50, p95, p99, memory
	@$(BIN)/python -m bench.soak --minutes $(MINUTES)

ROUNDS ?= 3
ARGS ?=

bench: setup  ## the same job by Daybook and its peers, in turns: a table, bench/results/; ROUNDS=3 ARGS=
	@$(BIN)/python -m bench.peers --keep --rounds $(ROUNDS) $(ARGS)

bench-quick: setup  ## five of them, once, rates only; the last line is JSON
	@$(BIN)/python -m bench.peers --quick $(ARGS)

clean:  ## remove .venv and caches; data folders stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info streams/*/native*.c streams/*/native*.so
