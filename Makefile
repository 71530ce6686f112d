# make demo · make test · make check · make bench · make chaos N=1000 · make fuzz N=1000000 · make fuzz-http N=100000 · make search N=500:
# each installs what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin
export RAY_USAGE_STATS_ENABLED := 0
export RAY_AUTH_MODE ?= disabled
export RAY_worker_niceness := 0

.PHONY: demo test check bench chaos fuzz fuzz-http search clean

demo: .venv/.samples
	$(BIN)/python -m jobs.demo $(ARGS)

test: .venv/.dev
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.dev
	$(BIN)/python -m jobs.bench $(ARGS)

chaos: N ?= 40
chaos: .venv/.dev
	MGRAY_CHAOS=$(N) $(BIN)/python -m pytest tests/ingest/chaos $(ARGS)

fuzz: N ?= 5000
fuzz: .venv/.dev
	MGRAY_FUZZ=$(N) MGRAY_FUZZ_SEED=$(or $(SEED),1) $(BIN)/python -m pytest tests/dicom/test_fuzz.py $(ARGS)

fuzz-http: N ?= 500
fuzz-http: .venv/.dev
	MGRAY_FUZZ_HTTP=$(N) MGRAY_FUZZ_SEED=$(or $(SEED),1) $(BIN)/python -m pytest --timeout 0 tests/serve/test_hostile.py $(ARGS)

search: N ?= 24
search: .venv/.dev
	MGRAY_SEARCH=$(N) $(BIN)/python -m pytest -s tests/tune/test_planted.py $(ARGS)

clean:
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python $$($(PYTHON) -V 2>&1) is too old: mgray needs 3.11 or newer. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.samples: .venv/bin/python constraints.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[samples,serve]'
	@touch $@

.venv/.dev: .venv/bin/python constraints.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[samples,serve,dev]'
	@touch $@ .venv/.samples
