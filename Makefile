# `make` alone prints the targets. A variable reaches its script through the environment, so that any text in it survives.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup build test experiment status cluster-test list student notebooks bench bench-peers bench-7b coverage fuzz torture sanitize soak reproducibility interop documents manual documentation format lint
export NAME ARGS MODEL PAIRS ENGINE SLURM PREFIX

SOURCES := Package.swift Sources Tests experiments examples benchmarks

help: ## print these lines
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r target line; do \
	  printf '%-16s %s\n' "$$target" "$$line"; done

setup: ## install the system packages that are missing and check Swift
	@scripts/setup.sh

build: setup ## build the command: .build/release/keystep
	swift build -c release --product keystep

test: setup ## build and run the tests
	swift test -c release --disable-testable-imports --explicit-target-dependency-import-check error

experiment: setup ## run an experiment, or all: NAME=key-step-ratio [ARGS="--seeds 5"] [MODEL=model PAIRS=pairs.jsonl] [ENGINE=slurm SLURM="--time=4:00:00"]
	@scripts/experiment.sh

status: ## print how far an experiment's runs are, and the time left: NAME=key-step-ratio, or all
	@scripts/experiment.sh status

cluster-test: setup ## start a Slurm of one node, disturb a sweep on it, and compare its CSV with a local one
	@scripts/cluster_test.sh

list: ## name the experiments and the question of each
	@scripts/list.sh

student: ## get a pretrained student into models/: SmolLM2-135M-Instruct, or [MODEL=gemma-3-270m]
	@scripts/student.sh

bench-peers: setup ## time keystep beside PyTorch, llama.cpp and RapidFuzz [PAIRS=pairs.jsonl ARGS="--runs 5"]
	@scripts/bench_peers.sh

bench-7b: setup ## measure a step on a model of LLaMA-2-7B's shape with random weights (17.3 GB in models/)
	@scripts/bench_7b.sh

interop: setup ## check keystep with llama.cpp, datasets, TRL, PEFT, Transformers, lm-evaluation-harness, openai, TensorBoard, W&B
	@scripts/interop.sh

notebooks: ## execute notebooks-md/ in a scratch folder
	@scripts/notebooks.sh

documents: ## execute the commands that README, docs/ and the experiments' READMEs show, on small stand-ins
	python3 scripts/check_commands.py $$ARGS

manual: setup ## make the command's man pages and shell completions: .build/share, or installed with PREFIX=~/.local
	@scripts/manual.sh

documentation: setup ## build the reference of the public API with DocC: .build-documentation/site
	@scripts/documentation.sh

bench: setup ## measure steps, decoding, alignment, and how cost grows: [PAIRS=pairs.jsonl]
	swift build -c release --product keystep-bench
	.build/release/keystep-bench $(if $(PAIRS),--pairs "$$PAIRS")
	.build/release/keystep-bench scaling

coverage: setup ## simulate how often 95 % intervals cover the true difference [ARGS="--replicates 4000"]
	swift build -c release --product coverage
	.build/release/coverage $$ARGS

fuzz: setup ## give every reader a million mutated files [ARGS="--reader gguf --seed 2"]
	swift build -c release --product fuzz
	.build/release/fuzz $$ARGS

torture: setup ## kill a small sweep 100 times and compare it with an uninterrupted one [ARGS="KILLS PROCESSES SEED"]
	KEYSTEP_WITHOUT_COMMAND=1 swift build -c release --product key-step-ratio
	KEYSTEP_WITHOUT_COMMAND=1 swift build -c release --product torture
	.build/release/torture $$ARGS

sanitize: setup ## run the tests under the sanitizers of addresses, undefined behaviour and threads [ARGS="thread --filter Trainer"]
	@scripts/sanitize.sh $$ARGS

soak: setup ## run a sweep and note its memory, descriptors and pace once a minute: NAME=dose [ARGS="--seeds 10"]
	@scripts/soak.sh

reproducibility: setup ## train twice alike, and with other workers, kernels and precision, and compare; as CSV
	swift build -c release --product keystep-bench
	.build/release/keystep-bench reproducibility $$ARGS

format: ## format the Swift files in place
	swift format -i -r $(SOURCES)

lint: ## check the format of the Swift files
	swift format lint --strict -r $(SOURCES)
