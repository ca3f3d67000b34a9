# Each command makes its own virtual environment first. PYTHON=python3.13 chooses the interpreter, VENV=DIR the
# environment. PyTorch, ONNX Runtime and OpenVINO are in the benchmark's environment alone, BENCH_VENV=DIR.

PYTHON ?= python3
VENV ?= .venv
BENCH_VENV ?= .venv-bench
GPU ?= -1
# PyTorch's wheels on PyPI are built for CUDA 13, and so is this one.
CUPY ?= cupy-cuda13x[ctk]
RUN = $(VENV)/bin/python
DEMO = --config_path configs/demo.yml

.PHONY: help demo test test-slow lint bench

help:
	@echo 'make demo       a trained network on a synthetic head, then the whole pipeline on a cohort of them, on the CPU:'
	@echo '                score tables and pictures'
	@echo 'make test       the test suite'
	@echo 'make test-slow  its long part: damaged files, kills, full disks, memory'
	@echo 'make lint       mistakes and dead code, by ruff'
	@echo 'make bench      this project beside PyTorch, ONNX Runtime, OpenVINO and stock Chainer, timed in turn; GPU=0:'
	@echo '                on that CUDA GPU'
	@echo
	@echo 'Each makes its own virtual environment. PYTHON=python3.13 chooses the interpreter, VENV=DIR the folder.'

demo: $(VENV)/installed
	rm -rf data/demo results/demo
	$(RUN) util/miscs/make_phantoms.py --out data/demo/raw
	$(RUN) util/miscs/clean_data.py --input data/demo/raw --output data/demo/interim
	$(RUN) util/miscs/make_lr_img.py -c configs/x4_deep_robust.yml --input data/demo/interim --output data/demo/x4
	$(RUN) inference.py -m x4_t1w -i data/demo/x4/LR/0000.mhd --hr data/demo/x4/HR/0000.mhd -o results/demo/x4_t1w
	$(RUN) util/miscs/make_lr_img.py $(DEMO) --input data/demo/interim --output data/demo/processed
	$(RUN) util/miscs/make_lists.py --input data/demo/processed --out data/demo/lists --val 1 --test 2 --seed 0
	$(RUN) training.py $(DEMO) --out results/demo/training
	$(RUN) inference.py --model results/demo/training/gen_best.npz --out results/demo/inference

test: $(VENV)/installed-dev
	$(RUN) -m pytest

test-slow: $(VENV)/installed-dev
	$(RUN) -m pytest -m slow

lint: $(VENV)/installed-dev
	$(RUN) -m ruff check .

bench: $(BENCH_VENV)/installed $(if $(filter-out -%,$(GPU)),$(BENCH_VENV)/installed-cupy)
	$(BENCH_VENV)/bin/python -m benchmarks.run -g $(GPU) --out results/benchmark

# Chainer 7.8.1 is a source distribution whose setup.py needs pkg_resources, gone from setuptools 82 on; with
# --no-build-isolation pip builds it with the setuptools that is installed here.
# ONNX Runtime has no such version for Python 3.10; the report says so then.
$(BENCH_VENV)/installed: ALSO = torch==2.13.0 onnx==1.23.2 'onnxruntime==1.32.0; python_version > "3.10"' \
	openvino==2026.4.1
$(BENCH_VENV)/installed: Makefile
$(VENV)/installed $(BENCH_VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install 'setuptools<70' wheel
	$(@D)/bin/python -m pip install --no-build-isolation -r requirements.txt $(ALSO)
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	$(@D)/bin/python -m pip install --no-build-isolation -r requirements-dev.txt
	touch $@

$(BENCH_VENV)/installed-cupy: $(BENCH_VENV)/installed
	$(BENCH_VENV)/bin/python -m pip install '$(CUPY)'
	touch $@
