from types import SimpleNamespace

import numpy
import pytest

import util  # noqa: F401  (its compatibility module makes `import chainer` work in every test)
import inference
import training
from tests import mpi
from tests.experiment import INFERENCE_ARGUMENTS, TRAINING_ARGUMENTS, make_experiment
from tests.strict_cupy import arrays, kernels
from util.device import get_device
from util.reports import training_figures
from util.script import UserError, run


def pytest_collection_modifyitems(items):
    """Skip the tests marked gpu or mpi, saying why, where there is no GPU or no mpiexec to run them on."""
    reason = mpi.why_not()
    for item in items:
        if reason and item.get_closest_marker('mpi'):
            item.add_marker(pytest.mark.skip(reason=reason))
    try:
        get_device(0)
    except UserError as error:
        for item in items:
            if item.get_closest_marker('gpu'):
                item.add_marker(pytest.mark.skip(reason=str(error)))


@pytest.fixture
def gpu():
    """The first CUDA GPU, for a test marked gpu; or its stand-in (tests/strict_cupy)."""
    return get_device(0)


@pytest.fixture
def gpu_with_kernels(gpu, monkeypatch):
    """As `gpu`, for what is computed by kernels of the project's own: the stand-in is slow at them."""
    if gpu.xp.ndarray is arrays.ndarray:
        if kernels.why_not():
            pytest.skip(kernels.why_not())
        monkeypatch.setattr(gpu.xp, 'RawModule', kernels.RawModule, raising=False)
    return gpu


@pytest.fixture
def real_gpu(gpu):
    """A GPU that records graphs, which its stand-in does not."""
    if not hasattr(gpu.xp.cuda, 'Graph'):
        pytest.skip('the stand-in for CuPy records no graphs')
    return gpu


@pytest.fixture(autouse=True)
def same_initial_weights_in_every_run():
    """Chainer draws them from NumPy's global generator."""
    numpy.random.seed(0)


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    """Runs a script's main in this process, in the test's folder, as the command line would.

    Returns what `tests.experiment.call` returns of a process of its own: returncode, stdout and stderr.
    """
    monkeypatch.chdir(tmp_path)

    def call(main, *arguments):
        with pytest.raises(SystemExit) as caught:
            run(lambda: main([str(argument) for argument in arguments]))
        stdout, stderr = capfd.readouterr()
        return SimpleNamespace(returncode=caught.value.code or 0, stdout=stdout, stderr=stderr)

    return call


@pytest.fixture
def experiment(tmp_path):
    """The tiny experiment, in the test's folder."""
    return make_experiment(tmp_path)


@pytest.fixture
def train_and_draw(here):
    """Runs training.py on the experiment, in this process."""
    return lambda *arguments, out='run': here(training.main, *TRAINING_ARGUMENTS, '-o', out, *arguments)


@pytest.fixture
def train(train_and_draw, monkeypatch):
    """The same with empty files for pictures, which take three quarters of a tiny training."""
    def empty(path, *_):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'')

    def call(*arguments, **out):
        with monkeypatch.context() as patch:
            for name in ('save_curves_figure', 'save_sample_figure'):
                patch.setattr(training_figures, name, empty)
            return train_and_draw(*arguments, **out)

    return call


@pytest.fixture
def infer(here):
    """Runs inference.py with the model gen.npz, in this process."""
    return lambda *arguments: here(inference.main, *INFERENCE_ARGUMENTS, *arguments)
