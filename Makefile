# Both commands set themselves up: a virtual environment with the exact versions of requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OLDEST := .venv-oldest

.PHONY: demo test test-oldest slow lock clean

demo: $(READY)
	$(BIN)/transfer demo

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest -n 2 --dist worksteal

# The tests with the oldest versions that pyproject.toml allows, in an environment of their own.
test-oldest:
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --disable-pip-version-check uv
	$(OLDEST)/bin/uv pip install --quiet --python $(OLDEST) --resolution lowest-direct --editable '.[test,demo,imagenet]'
	$(OLDEST)/bin/pytest -n 2 --dist worksteal

# The heavy tests: every row of the backbone table.
slow: $(READY)
	$(BIN)/pytest -m slow

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11.4 or newer is needed; give PYTHON=path" if sys.version_info < (3, 11, 4) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(READY)

# All but hub, which would take 260 MB more: its tests are skipped where it is missing.
EXTRAS := $(foreach extra,heif imagenet litert onnx openvino parquet serve demo test,--extra $(extra))

# After a change of the dependencies in pyproject.toml.
lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 $(EXTRAS) --no-emit-index-url --output-file requirements.lock --upgrade

clean:
	rm -rf $(VENV) $(OLDEST) .pytest_cache .ruff_cache *.egg-info
