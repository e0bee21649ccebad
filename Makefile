# SPDX-License-Identifier: MIT
#
# Short names for what is done here every day; `make` lists them. Everything built lies under BUILD. To build and install
# the library for use, CMake alone is enough: README.md tells how.

BUILD := build
DIR := /usr/share
SECONDS := 1800

JOBS := $(shell nproc 2>/dev/null || echo 2)
CMAKE_DIR := $(BUILD)/cmake
CONFIGURE := cmake -S . -B $(CMAKE_DIR) -DCMAKE_BUILD_TYPE=Release
TREEHASH := $(CMAKE_DIR)/examples/c/treehash

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run test models shuttle mutants fuzz soak stress asan tsan valgrind coverage bench header languages lint clean build

help: ## what there is to make (this text)
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: ## the example treehash on every file under DIR (/usr/share), checked by sha256sum
	@scripts/setup run
	$(CONFIGURE)
	cmake --build $(CMAKE_DIR) --parallel $(JOBS) --target example_c_treehash
	@scripts/run-treehash $(TREEHASH) "$(DIR)" $(BUILD)/manifest.sha256

test: ## all tests: Rust, models, C, C++, Python, Zig, header, ABI, packages, examples
	@scripts/setup test
	@$(MAKE) build
	@scripts/test $(BUILD)

build: ## the libraries, examples and test programs, in BUILD/cmake
	$(CONFIGURE)
	cmake --build $(CMAKE_DIR) --parallel $(JOBS)

models: ## the concurrency models in their full form, 10 minutes each at most (make test runs a bounded one)
	@mkdir -p $(BUILD)
	@scripts/models $(BUILD) 3 600

shuttle: ## whole pools under 200,000 orders of events each, drawn (make test draws 4,000); WP_SEED repeats a run
	@scripts/shuttle $(BUILD) 200000

mutants: ## do the tests notice when the library is broken on purpose?
	@scripts/setup test
	@$(MAKE) build
	@scripts/mutants $(BUILD)
	@$(MAKE) build
	@scripts/mutants-cpp $(BUILD)

fuzz: ## programs of API calls for SECONDS (1,800), half of them under the address sanitizer
	@scripts/setup test
	@$(MAKE) build
	@scripts/fuzz $(CMAKE_DIR) $(SECONDS) sanitized

soak: ## everything at once with random faults for SECONDS (1,800): nothing lost, memory flat
	@scripts/setup test
	@$(MAKE) build
	@scripts/soak $(CMAKE_DIR) $(SECONDS)

stress: ## one_fate and groups_stress run long: 1,000 rounds, as many under the address sanitizer, some under valgrind
	@scripts/setup test
	@$(MAKE) build
	@scripts/stress $(BUILD)

asan: ## C and C++ tests under the address, leak and undefined-behaviour sanitizers
	@scripts/setup test
	@scripts/asan $(CMAKE_DIR)

tsan: ## C, C++ and Rust tests under the thread sanitizer, Rust's standard library instrumented too
	@scripts/setup test
	@scripts/tsan $(CMAKE_DIR)

valgrind: ## C tests under valgrind's memcheck
	@scripts/setup test
	@$(MAKE) build
	@scripts/valgrind $(CMAKE_DIR)

coverage: ## which lines and branches of src/ the tests run
	@scripts/setup test
	@scripts/coverage $(BUILD)

bench: ## the library beside its peers; writes benches/results and docs/performance.md
	@scripts/bench $(BUILD)

header: ## renew include/workerpool.h from src/ffi
	@scripts/check-header --renew $(BUILD)/cargo-header

languages: ## renew docs/languages.md from the examples of the eight things
	@scripts/check-languages --renew

lint: ## format, lints and Rust documentation; no warning passes
	cargo fmt --check
	cargo clippy --locked --all-targets --target-dir $(BUILD)/lint -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --target-dir $(BUILD)/lint

clean: ## remove what was built
	rm -rf $(BUILD)
