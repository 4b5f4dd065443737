# Everything here works on a fresh machine: each target makes the environment that it needs.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test check format notebooks manifests lock clean

DEV := .venv-dev/bin
# Services and tests start many processes: each would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: ## .venv with all that running needs
	@scripts/setup.sh .venv requirements/run.lock

setup-dev:
	@scripts/setup.sh .venv-dev requirements/dev.lock

demo: setup ## a real recording watched live on a real Kafka; hand arguments over with ARGS="..."
	@.venv/bin/ecgstream demo $(ARGS)

test: setup-dev ## every test, the ones on a real broker included; ARGS="..." for pytest
	@scripts/test.sh $(ARGS)

check: setup-dev ## format, lint, types, import walls, links in the docs, names
	$(DEV)/ruff format --check .
	$(DEV)/ruff check .
	$(DEV)/mypy
	$(DEV)/lint-imports --no-cache
	$(DEV)/python scripts/check_links.py
	$(DEV)/python scripts/check_names.py
	scripts/check_lock.sh

format: setup-dev ## put every file into the one format
	$(DEV)/ruff format .
	$(DEV)/ruff check --fix .

notebooks: setup-dev ## run training/notebooks anew, outputs kept in them; ARGS="--evaluation FILE" for the results
	@$(DEV)/python scripts/run_notebooks.py $(ARGS)

manifests: ## plain Kubernetes manifests of the Helm chart into deploy/kubernetes.yaml; ARGS="-f my-values.yaml" for your own
	@scripts/helm.sh
	@PATH="$$PATH:.tools/go/bin" helm template ecgstream deploy/helm/ecgstream --kube-version 1.34.0 $(ARGS) > deploy/kubernetes.yaml
	@echo "deploy/kubernetes.yaml: kubectl apply --namespace NAME --filename deploy/kubernetes.yaml"

lock: setup-dev ## resolve the lock files from pyproject.toml; ARGS=--upgrade for the newest
	@scripts/lock.sh requirements $(ARGS)

clean: ## remove environments and caches
	rm -rf .venv .venv-dev .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis
