# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Every target calls one script; what it does is said there.

.DEFAULT_GOAL := help
.PHONY: help demo demo-down test test-unit test-lint test-sanity test-contract test-integration test-molecule test-cuts packages fix build install-dev

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | sort | awk -F '\t' '{ printf "  make %-18s %s\n", $$1, $$2 }'

demo: ## two real servers on this machine, linked by the onboard playbook; no root needed
	@tests/demo/run

demo-down: ## remove everything that the demonstration started
	@tests/demo/down

test: ## everything, on a bare Debian 12 as root; ends with "N passed, N failed"
	@tests/tools/test.sh

test-unit: ## unit tests (A="-k name" is passed on to pytest, here and below)
	@tests/tools/part.sh unit $(A)

test-lint: ## ansible-lint, ruff, yamllint, reuse, shellcheck, documentation, changelog, metadata
	@tests/tools/part.sh lint $(A)

test-sanity: ## ansible-test sanity; C="2.19" for one core, all four otherwise
	@tests/tools/part.sh sanity $(C)

test-contract: ## is the lab's managed server what it claims to be
	@tests/tools/part.sh contract $(A)

test-integration: ## playbooks and modules against real servers
	@tests/tools/part.sh integration $(A)

test-molecule: ## the built artifact in Molecule's scenarios; S=scenario for one
	@tests/tools/part.sh molecule $(S)

test-cuts: ## onboard and rotate_password are cut at every SQL statement, for both pairs
	@tests/tools/part.sh cuts --all $(A)

fix: ## mend what ruff can mend by itself (order of imports, unused imports)
	@tests/tools/part.sh fix $(A)

packages: ## install the Debian packages that the tests need (root)
	@tests/tools/packages.sh

build: ## the collection's artifact, in build/
	@tests/tools/build.sh

install-dev: ## the tools and this tree for development; prints what to evaluate
	@tests/tools/dev.sh
