# Two commands matter: `make demo` (set up everything, run the main job) and
# `make test` (set up everything, pass the tests). Both need Python >= 3.11, make
# and a package index, and install exactly what requirements/*.txt lock.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test check lint types contracts lock clean

demo: $(STAMP)-demo
	$(BIN)/credenza demo $(DEMO)

# Two workers with one thread each: threads of two workers only spin for each other's core.
# Each begins with one half, in one piece, so that what a module's tests share is made once.
# Bytecode is kept whatever the shell says: the tests start hundreds of processes, and nothing
# was compiled when it was installed.
test: export OMP_NUM_THREADS := 1
test: export OPENBLAS_NUM_THREADS := 1
test: export PYTHONDONTWRITEBYTECODE :=
test: $(STAMP)-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=25 $(TESTS)

check: lint types contracts test

lint: $(STAMP)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)-dev
	$(BIN)/mypy --num-workers 2

contracts: $(STAMP)-dev
	$(BIN)/lint-imports

# A new pip reads the index in less than half the time of the one that Python brings.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/pip.txt

# The package is installed without its dependencies: the lock already has them all.
$(STAMP)-demo: requirements/demo.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The tests use every extra, so torch comes too: this release, in whatever build the index has.
# Most of those modules are never imported, so each is compiled when it first is.
$(STAMP)-dev: requirements/dev.txt requirements/torch.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-compile -r requirements/torch.txt
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --no-build-isolation --editable .
	touch $@

# Needs uv on the PATH; run it after changing dependencies in pyproject.toml.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --custom-compile-command "make lock"
lock:
	$(LOCK) pyproject.toml --extra demo --group build --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra demo --group build -c requirements/dev.txt -o requirements/demo.txt
	$(LOCK) --group pip -o requirements/pip.txt

clean:
	rm -rf $(VENV) build dist
