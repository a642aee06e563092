# The only things to remember:  make demo   make test   make check   make bench   make web
# Everything sets itself up with nothing but a system Python 3.11 and pip.
PY ?= python3
UV := .uv/bin/uv
ARGS ?=
export UV_LINK_MODE ?= copy
export PYTHONPATH :=

.PHONY: demo run test check lint bench web warm clean help

help:
	@echo "make demo [ARGS='--for 90s']   a live picture of a simulated border in your browser"
	@echo "make run ARGS='run site.toml'  the lapwing command, with any arguments"
	@echo "make test                      the tests"
	@echo "make check                     what CI runs: lint, types, import contracts, tests"
	@echo "make bench                     speed, as ratios against a peer in the same run"
	@echo "make web                       rebuild the web front end (needs Node 20)"

$(UV):
	@$(PY) -m pip install -q --disable-pip-version-check --no-warn-script-location --root-user-action=ignore --target .uv 'uv>=0.9,<1'

demo: $(UV)
	@$(UV) run -q --frozen --no-default-groups lapwing demo $(ARGS)

run: $(UV)
	@$(UV) run -q --frozen --no-default-groups --group samples lapwing $(ARGS)

test: $(UV)
	@$(UV) run -q --frozen pytest -n auto --dist loadfile $(ARGS)

lint: $(UV)
	@$(UV) run -q --frozen ruff check .
	@$(UV) run -q --frozen ruff format --check .
	@$(UV) run -q --frozen mypy
	@$(UV) run -q --frozen lint-imports

check: lint test

bench: $(UV)
	@$(UV) run -q --frozen --group bench pytest bench $(ARGS)

web:
	cd web && npm ci && npm run build

clean:
	rm -rf .venv .uv dist .mypy_cache .ruff_cache .pytest_cache
