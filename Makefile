# Everything sets itself up in .venv; only Python (3.11 or newer) and make are needed.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := dev,ray,export
DEMO := demo
# Four videos are few: one to test on, the others to train on.
SPLITS := --set sfm.splits.validation=0
STAGES := flythrough acquire curate sfm train evaluate leaderboard

.PHONY: help demo test test-faults lint bench ship-model clean

help:  ## This list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready  ## The whole pipeline on a made-up coast: a results table and a leaderboard page.
	$(BIN)/flythrough sample $(DEMO)/videos --videos 4 --seconds 8 --size 640x360 --seed 0
	$(BIN)/flythrough run --input $(DEMO)/videos --workspace $(DEMO)/workspace $(SPLITS) $(DEMO_SETTINGS)

# A process a room, as in real runs: native libraries that never meet there do not meet here.
ROOMS := acquire curate sfm train evaluate leaderboard
test: .venv/ready  ## All tests, a process a room.
	@failed=0; \
	for room in $(ROOMS); do \
		echo "== $$room"; $(BIN)/python -m pytest -q tests/$$room || failed=1; \
	done; \
	echo "== ground floor"; \
	$(BIN)/python -m pytest -q tests $(ROOMS:%=--ignore=tests/%) || failed=1; \
	exit $$failed

# What takes longer: kill -9 at 60 random moments over all stages, and tables of 1,000,000 shots.
test-faults: .venv/ready  ## Kills, full disks and a million shots; takes longer.
	$(BIN)/python -m pytest -q tests/faults tests/hostile
	$(BIN)/python benchmarks/fault_campaign.py --kills 60
	$(BIN)/python benchmarks/full_disk.py
	$(BIN)/python benchmarks/workspace_scale.py

lint: .venv/ready  ## Style, types, and what each room may import.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

bench: .venv/ready  ## The benchmarks.
	$(BIN)/python -m pytest benchmarks -q -s

# The model in the package, anew: a day on two cores. What is stopped goes on when it is called again.
SHIP := ship
ship-model: .venv/ready  ## Train the model in the package anew; resumes if interrupted.
	$(BIN)/flythrough train --workspace $(SHIP) --new --set train.preset=ship
	$(BIN)/flythrough train export $$(ls -td $(SHIP)/train/infinite-nature*/state.safetensors | head -n 1) -o $(SHIP)/flythrough-coast

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

clean:  ## Remove .venv and everything that was built.
	rm -rf .venv build *.egg-info demo .mypy_cache .ruff_cache .pytest_cache
