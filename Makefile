# Everything sets itself up in .venv; only Python (3.11 or newer) and make are needed.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := all,dev,ray,export
DEMO := demo
# Four videos are few: one to test on, the others to train on; eight flights start from it, three would not tell methods apart.
FEW := --set sfm.splits.validation=0 --set evaluate.starts_per_clip=8
STAGES := flythrough acquire curate sfm train evaluate leaderboard

.PHONY: help demo test coverage mutants test-types test-faults tutorials docs lint bench bench-quick bench-gate ship-model clean

help:  ## This list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready  ## The whole pipeline on a made-up coast: a results table and a leaderboard page.
	$(BIN)/flythrough sample $(DEMO)/videos --videos 4 --seconds 8 --size 640x360 --seed 0
	$(BIN)/flythrough run --input $(DEMO)/videos --workspace $(DEMO)/workspace $(FEW) $(DEMO_SETTINGS)

# A process a room, as in real runs: native libraries that never meet there do not meet here. As many rooms at once as
# there are cores, up to two, a thread each.
ROOMS := sfm train evaluate curate acquire leaderboard
AT_ONCE := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); [ $$n -gt 2 ] && echo 2 || echo $$n)
PYTEST := $(BIN)/python -m pytest
test: .venv/ready  ## All tests, a process a room.
	@mkdir -p build/tests; export OMP_NUM_THREADS=1; printf '%s\n' ground $(ROOMS) | xargs -P $(AT_ONCE) -n 1 sh -c \
		'case $$1 in ground) what="tests $(ROOMS:%=--ignore=tests/%)";; *) what=tests/$$1;; esac; \
		$(PYTEST) -q $$what > build/tests/$$1.txt 2>&1; code=$$?; \
		echo "== $$1" | cat - build/tests/$$1.txt; exit $$code' room

# jaxtyping and beartype check shapes and types at every call, which takes the tests half as long again or more.
CHECKED := flythrough/scene flythrough/rendering flythrough/results flythrough/media flythrough/rules
test-types: .venv/ready  ## Tests in which a signature that lies fails; CHECKED="sfm curate" takes other rooms.
	FLYTHROUGH_CHECK_TYPES=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(CHECKED:%=tests/%)

coverage: .venv/ready  ## The same tests, with the lines and branches of each room that they run; fails below the bounds.
	@mkdir -p build/coverage; rm -f build/coverage/*
	HERE=$(CURDIR) $(MAKE) test PYTEST="$(BIN)/coverage run -m pytest"
	HERE=$(CURDIR) $(BIN)/coverage combine -q
	HERE=$(CURDIR) $(BIN)/coverage json -q -o build/coverage.json
	$(BIN)/python benchmarks/coverage_rooms.py build/coverage.json $(STAGES)

# About 20 minutes of processor time; resumes if interrupted. MUTATED="geometry rules" takes these groups.
mutants: .venv/ready  ## Mutation testing of geometry, rendering, metrics, ranking and rules; fails below 85 %.
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutants.py $(MUTATED) -o docs/data/mutants.json

# What takes longer: kill -9 at 60 random moments over all stages, and 1,000,000 finished tasks (9 GB of disk for a while).
test-faults: .venv/ready  ## Kills, full disks and a million shots; takes longer.
	$(BIN)/python -m pytest -q tests/faults tests/hostile
	$(BIN)/python benchmarks/fault_table.py
	$(BIN)/python benchmarks/fault_campaign.py --kills 60
	$(BIN)/python benchmarks/full_disk.py
	$(BIN)/python benchmarks/workspace_scale.py

tutorials: .venv/ready  ## The tutorials' commands, as written, on what make demo left.
	FLYTHROUGH_DEMO=$(DEMO) $(BIN)/python -m pytest -q tests/test_tutorials.py

docs: .venv/ready  ## The documentation's site, into build/site; a dead link is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

lint: .venv/ready  ## Style, types, and what each room may import.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

bench: .venv/bench  ## The benchmarks, against peers, at full size.
	@mkdir -p build
	$(BIN)/python -m pytest benchmarks -q -s --benchmark-json build/bench.json

bench-quick: .venv/bench  ## Those of docs/performance.md; about 4 minutes of processor time.
	@mkdir -p build
	for peers in media metrics model; do BENCH_QUICK=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
		benchmarks/test_peers_$$peers.py -q -s --benchmark-json build/bench-quick-$$peers.json || exit 1; done

bench-gate: bench-quick  ## Fails where a ratio fell behind docs/performance.md.
	$(BIN)/python benchmarks/performance.py build/bench-quick-*.json --gate

.venv/bench: .venv/ready
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	touch $@

# The model in the package, anew: a day on two cores. What is stopped goes on when it is called again. To see it work in
# minutes: make ship-model SHIP=try SHIP_SET="--set train.steps=2 --set train.islands=1 --set train.batch=2".
SHIP := ship
SHIP_SET :=
ship-model: .venv/ready  ## Train the model in the package anew; resumes if interrupted.
	$(BIN)/flythrough train --workspace $(SHIP)/first --new --set train.preset=ship $(SHIP_SET)
	$(BIN)/flythrough train narrow $(SHIP)/first/train/infinite-nature*/checkpoint -o $(SHIP)/narrow
	$(BIN)/flythrough train --workspace $(SHIP)/last --new --set train.preset=polish --set train.init=$(abspath $(SHIP))/narrow $(SHIP_SET)
	$(BIN)/flythrough train average $(SHIP)/narrow $(SHIP)/last/train/infinite-nature*/checkpoint --share 3 --share 2 -o $(SHIP)/flythrough-coast

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

clean:  ## Remove .venv and everything that was built.
	rm -rf .venv build dist *.egg-info demo demo-ci .benchmarks .mypy_cache .ruff_cache .pytest_cache
