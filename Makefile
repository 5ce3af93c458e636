PYTHON ?= .venv/bin/python

.PHONY: check format lint types test demo bench torture

check: lint types test  ## all that continuous integration checks

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest -n auto --dist loadfile

torture:  ## the long hunts: crashes, random profiles, load
	$(PYTHON) -m pip install --quiet -e '.[dev,torture]'
	PHALANX_TORTURE=1 $(PYTHON) -m pytest -m "" --timeout 3600

demo:
	$(PYTHON) -m phalanx demo

bench:  ## our own speed against the bare libraries, as ratios in one run
	$(PYTHON) -m phalanx.benchmarks.overhead
