# make demo   the whole pipeline on a synthetic cohort, on the CPU: a score table and pictures
# make test   the whole test suite
# Both make their own virtual environment first. PYTHON=python3.13 chooses the interpreter, VENV=DIR the environment.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
DEMO = --config_path configs/demo.yml

.PHONY: demo test

demo: $(VENV)/installed
	rm -rf data/demo results/demo
	$(RUN) util/miscs/make_phantoms.py --out data/demo/raw
	$(RUN) util/miscs/clean_data.py --input data/demo/raw --output data/demo/interim
	$(RUN) util/miscs/make_lr_img.py $(DEMO) --input data/demo/interim --output data/demo/processed
	$(RUN) util/miscs/make_lists.py --input data/demo/processed --out data/demo/lists --val 1 --test 2 --seed 0
	$(RUN) training.py $(DEMO) --out results/demo/training
	$(RUN) inference.py --model results/demo/training/gen_iter_$$(sed -n 's/^iteration: *\([0-9]*\).*/\1/p' \
		configs/demo.yml).npz --out results/demo/inference

test: $(VENV)/installed
	$(RUN) -m pytest

# Chainer 7.8.1 is a source distribution whose setup.py needs pkg_resources, gone from setuptools 82 on; with
# --no-build-isolation pip builds it with the setuptools that is installed here.
$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install 'setuptools<70' wheel
	$(RUN) -m pip install --no-build-isolation -r requirements.txt
	touch $@
