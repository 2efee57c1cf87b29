# Telemed. `make` alone prints what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PORT ?= 8080
# The slow suites are one queue each (tests/conftest.py), handed out after everything quick.
JOBS ?= $(shell cores=$$(nproc); echo $$((cores < 4 ? cores : 4)))
PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PYTHON

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --retries 5 --require-hashes
PYTEST := $(RUN) -m pytest -n $(JOBS)
STATIC := $(shell find static -type f ! -name '*.br' ! -path '*/catalogue/*' 2>/dev/null)
WORDED := $(shell find telemed templates static/js locale/en/parts \
	-name '*.py' -o -name '*.html' -o -name '*.po' -o -name '*.js' ! -path '*/catalogue/*')

# Registries and mirrors fail for a moment now and then.
define retry
for try in 1 2 3; do $(1) && exit 0; echo "Attempt $$try failed." >&2; sleep $$((try * 5)); done; exit 1
endef

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### Serve

.PHONY: run
run: install ## serve the demo province on http://127.0.0.1:8080 (PORT=8099 for another port)
	@exec $(RUN) -m telemed serve --demo --port $(PORT)

.PHONY: install
install: $(VENV)/.run .stamps/assets .stamps/printing ## what serving needs: environment, assets, catalogues

.PHONY: migrate
migrate: install ## bring the database of TELEMED_DATABASE_URL (or var/) to this version
	@$(RUN) -m telemed migrate

$(RUN):
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Telemed needs Python 3.11 or later; make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@tools/packages.sh python3-venv
	@echo "Making $(VENV)"
	@"$(PYTHON)" -m venv $(VENV)

$(VENV)/.run: requirements/run.lock | $(RUN)
	@echo "Installing what serving needs (about half a minute)"
	@$(call retry,$(PIP) -r $<)
	@touch $@

# Without these everything works but PDF files; pages still print.
.stamps/printing: tools/packages.sh | .stamps
	@tools/packages.sh libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 || echo "No PDF files until then."
	@touch $@

.stamps:
	@mkdir -p $@

.stamps/catalogue: $(WORDED) | $(VENV)/.run .stamps
	@$(RUN) -m tools.catalogue >/dev/null
	@touch $@

.stamps/assets: $(STATIC) .stamps/catalogue | $(VENV)/.run .stamps
	@$(RUN) -c 'from telemed.core.paths import STATIC; from telemed.web.assets import build_assets; build_assets(STATIC)'
	@touch $@

##### Prove

.PHONY: check
check: dev ## form, lint, types, words, architecture: half a minute, before every commit
	@$(MAKE) --keep-going form lint types words house

.PHONY: form lint types words house
form:
	@$(RUN) -m ruff format --check --quiet . || { echo "make format mends this" >&2; exit 1; }
lint:
	@$(RUN) -m ruff check --quiet .
types:
	@$(RUN) -m mypy
words:
	@$(RUN) -m tools.catalogue --check
house:
	@$(RUN) -m pytest -q tests/test_architecture.py tests/architecture

.PHONY: test
test: packages dev node_modules/.installed ## everything that proves it, installing what it needs
	@status=0; $(MAKE) test-js || status=1; $(PYTEST) || status=1; exit $$status

.PHONY: test-unit
test-unit: dev node_modules/.installed ## the quick part: everything without a browser and without pulled plugs
	@$(PYTEST) -m "not browser and not faults"

.PHONY: test-browser
test-browser: dev node_modules/.installed ## the real Chromium, one test after another
	@$(RUN) -m pytest tests/browser

.PHONY: test-faults
test-faults: dev ## kill -9 and other misfortune
	@$(RUN) -m pytest tests/faults

.PHONY: test-js
test-js: node_modules/.installed ## browser modules: types, and protocol objects under Node
	@status=0; node_modules/.bin/tsc --project . || status=1; \
	node --test --test-reporter=dot $(wildcard tests/js/*.test.*js) || status=1; exit $$status

.PHONY: bench
bench: packages dev node_modules/.installed ## measured against its peers in the same run; tables out
	@$(RUN) -m bench

.PHONY: bench-media
bench-media: packages dev node_modules/.installed ## the same for calls: set-up, recovery, speech on bad lines, relay, a full room, a narrow line in it, hand-over, recording, wear
	@$(RUN) -m bench media

.PHONY: packages
packages: ## Debian packages of the tests: installed when root, named otherwise
	@tools/packages.sh

.PHONY: dev
dev: $(VENV)/.dev .stamps/assets

$(VENV)/.dev: requirements/dev.lock requirements/run.lock | $(RUN)
	@echo "Installing what the tests need (about a minute)"
	@$(call retry,$(PIP) -r $<)
	@touch $@ $(VENV)/.run

node_modules/.installed: package.json package-lock.json
	@tools/packages.sh nodejs npm
	@$(call retry,npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
	@touch $@

##### Change

.PHONY: format
format: dev ## put the sources into their one form
	@$(RUN) -m ruff check --quiet --select I --fix .
	@$(RUN) -m ruff format --quiet .

.PHONY: catalogue
catalogue: $(VENV)/.run ## collect every marked text and merge the translations
	@$(RUN) -m tools.catalogue

.PHONY: wheel
wheel: dev ## dist/telemed-*.whl, which serves on its own
	@$(RUN) -m build --wheel --no-isolation --outdir dist

# uv resolves; it lives apart, since nothing else needs it.
COMPILE := .stamps/uv/bin/uv pip compile --quiet pyproject.toml --python-version 3.11 \
	--generate-hashes --no-header

.PHONY: lock
lock: .stamps/uv/bin/uv ## resolve pyproject.toml again into requirements/*.lock
	@$(COMPILE) --output-file requirements/run.lock
	@$(COMPILE) --group dev --output-file requirements/dev.lock

.stamps/uv/bin/uv: | .stamps
	@"$(PYTHON)" -m venv .stamps/uv
	@$(call retry,.stamps/uv/bin/python -m pip install --quiet --disable-pip-version-check uv)

.PHONY: pictures
pictures: dev node_modules/.installed ## the pictures of the README, taken anew by the browser tests
	@$(RUN) -m pytest -q tests/browser/test_pages.py -k specialist
	@$(RUN) -c 'from PIL import Image; Image.open("tests/browser/shots/specialist-consults-one-1366-light.png").convert("RGB").quantize(128).save("docs/pictures/case.png", optimize=True)'
