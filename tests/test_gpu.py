"""The two scripts on a GPU give what they give on the CPU, and a run or a model goes from one to the other.

Results are equal but for rounding. Adam divides a gradient by its own size, so the weights whose gradients are nothing
but rounding go either way: the loss and the volumes are compared, and most of the weights.
"""
import csv
import json
import shutil

import chainer
import numpy
import pytest

from models.espcn3d import ESPCN3D
from tests.experiment import assert_refused, change, weights
from tests.strict_cupy import arrays
from tests.util.dataset.test_drawn import EVERYTHING
from util.config_files import load_config
from util.dataset.pairs import load_pairs
from util.inference.network import build_network
from util.training.trainer import make_trainer
from util.volumes.reading import read_volume

pytestmark = pytest.mark.gpu

RECIPE = (('residual: none', 'residual: linear'), ('conv3_init: he_normal', 'conv3_init: icnr'),
          ('intensity_scaling: none', 'intensity_scaling: percentile'), ('flip: together', 'flip: per_axis'),
          ('background_share: null', 'background_share: 0.2'), ('loss: mse', 'loss: charbonnier'),
          ('seed: 0', f'drawn: {EVERYTHING}\nseed: 0'))


@pytest.fixture(params=['reference', pytest.param('recipe', marks=pytest.mark.slow)])
def either_experiment(request, experiment):
    """The reference's way, and one that has everything else."""
    for old, new in RECIPE if request.param == 'recipe' else ():
        change(experiment / 'experiment.yml', old, new)
    return experiment


@pytest.fixture
def assert_only_on(monkeypatch):
    """Sees that networks have run on the device of -g, and on no other, since it was last asked."""
    used, forward = set(), ESPCN3D.forward

    def recording(net, x):
        used.add(chainer.backend.get_device_from_array(chainer.as_variable(x).array).name)
        return forward(net, x)

    def check(gpu):
        assert used == {'@numpy' if gpu < 0 else f'@cupy:{gpu}'}
        used.clear()

    monkeypatch.setattr(ESPCN3D, 'forward', recording)
    return check


def assert_ran(done):
    assert done.returncode == 0, done.stderr


def assert_same_run(one, other):
    """Two folders of runs tell of the same training, but for rounding."""
    logs = [json.loads((folder / 'log').read_text()) for folder in (one, other)]
    assert len(logs[0]) == 2 and {'main/loss', 'val/loss', 'val/psnr'} <= logs[0][1].keys()
    for lines in zip(*logs, strict=True):
        numbers = [{key: line[key] for key in line if key != 'elapsed_time'} for line in lines]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-4)
    one, other = weights(one / 'gen_iter_6.npz'), weights(other / 'gen_iter_6.npz')
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype == numpy.float32
        assert numpy.median(numpy.abs(one[name] - other[name])) < 1e-6  # a step of Adam is 1e-4


def volume(folder):
    return read_volume(folder / '0001_x2.mhd').array


def assert_same_volume(one, other):
    one, other = volume(one), volume(other)
    numpy.testing.assert_allclose(one, other, atol=1e-4 * numpy.abs(other).max())
    assert other.std() > 0


@pytest.fixture
def super_resolve(infer):
    """Runs inference.py on one LR volume, without scores."""
    return lambda *arguments: assert_ran(infer('-i', 'LR/0001.mhd', *arguments))


def test_training_and_inference_are_those_of_the_cpu(either_experiment, train_and_draw, super_resolve, assert_only_on):
    """The network of either is used on the other device, too."""
    for gpu in (-1, 0):
        assert_ran(train_and_draw('-g', gpu, out=f'run{gpu}'))
        assert_only_on(gpu)
    assert_same_run(either_experiment / 'run-1', either_experiment / 'run0')
    for trained_on, used_on in ((-1, -1), (-1, 0), (0, -1), (0, 0)):
        super_resolve('-m', f'run{trained_on}/gen_best.npz', '-g', used_on, '-o', f'out{trained_on}{used_on}')
        assert_only_on(used_on)
        assert_same_volume(either_experiment / f'out{trained_on}{used_on}', either_experiment / 'out-1-1')


def test_another_gpu_than_the_first_is_used_alone(experiment, train, gpu, assert_only_on):
    if gpu.xp.cuda.runtime.getDeviceCount() < 2:
        pytest.skip('one GPU')
    change(experiment / 'experiment.yml', 'residual: none', 'residual: linear')
    try:
        assert_ran(train('-g', 1))
        assert_only_on(1)
    finally:
        gpu.use()


@pytest.mark.slow
def test_the_test_list_is_scored_as_on_the_cpu(experiment, train, infer):
    assert_ran(train('-g', 0))
    for gpu in (-1, 0):
        assert_ran(infer('-m', 'run/gen_best.npz', '-g', gpu, '-o', f'out{gpu}'))
    tables = ((experiment / f'out{gpu}/scores.csv').read_text().splitlines() for gpu in (-1, 0))
    for on_cpu, on_gpu in zip(*map(csv.DictReader, tables), strict=True):
        assert on_cpu.pop('case') == on_gpu.pop('case')
        assert len(on_cpu) > 10 and on_cpu.keys() == on_gpu.keys()
        for name, value in on_cpu.items():
            assert float(on_gpu[name]) == pytest.approx(float(value), rel=1e-3), name


@pytest.mark.slow
def test_the_ensemble_is_that_of_the_cpu(experiment, train, super_resolve):
    assert_ran(train('-g', 0))
    shutil.copy('run/gen_best.npz', 'gen.npz')
    super_resolve('-g', 0, '-o', 'one')
    for gpu in (-1, 0):
        super_resolve('-g', gpu, '--ensemble', '-o', f'eight{gpu}')
    assert_same_volume(experiment / 'eight0', experiment / 'eight-1')
    assert numpy.abs(volume(experiment / 'eight0') - volume(experiment / 'one')).max() > 1


def test_a_run_goes_on_on_another_device(experiment, train):
    """After a snapshot amid the log's lines, so that what they sum up goes along."""
    change(experiment / 'experiment.yml', 'snapshot_interval: 3', 'snapshot_interval: 4')
    assert_ran(train('-g', -1, out='first-1'))
    assert_ran(train('-g', 0, out='first0'))
    for first, then in ((-1, 0), (0, -1), (0, 0)):
        out = f'resumed{first}{then}'
        assert_ran(train('-g', then, '--resume', f'first{first}/snapshot_iter_4.npz', out=out))
        assert_same_run(experiment / 'first-1', experiment / out)


@pytest.mark.slow
def test_a_training_starts_from_a_model_of_the_other_device(experiment, train):
    assert_ran(train('-g', 0, out='run'))
    for gpu in (-1, 0):
        assert_ran(train('-g', gpu, '-m', 'run/gen_iter_6.npz', out=f'run{gpu}'))
    assert_same_run(experiment / 'run-1', experiment / 'run0')


def test_a_loss_that_is_not_finite_is_told_of_a_gpu_too(experiment, train):
    assert_refused(train('-g', 0, '--set', 'adam.alpha=1e30'), 'the loss is')


@pytest.mark.parametrize('residual', ['none', 'linear'])
def test_an_iteration_waits_for_nothing(experiment, gpu, residual):
    """Patches are cut on the GPU, and the loss stays there. Each way to the host would wait for what came before."""
    if gpu.xp.ndarray is not arrays.ndarray:
        pytest.skip('CuPy counts no transfers; the stand-in does (tests/strict_cupy)')
    change(experiment / 'experiment.yml', 'residual: none', f'residual: {residual}')
    change(experiment / 'experiment.yml', 'background_share: null', 'background_share: 0.2')
    config = load_config(experiment / 'experiment.yml')
    net = build_network(config)
    net.to_device(gpu)
    pairs, val_pairs = (load_pairs(experiment / f'{name}_list.txt', config, experiment) for name in ('training', 'val'))
    trainer = make_trainer(config, net, pairs, val_pairs, experiment / 'run')
    counted = []

    def count(trainer):
        counted.append(+arrays.transfers)
        arrays.transfers.clear()

    trainer.extend(count, name='count', trigger=(1, 'iteration'), priority=-200)  # after all others
    trainer.run()
    assert len(counted) == 6 and counted[2]['to_host'] > 0 and counted[5]['to_host'] > 0
    # Adam's kernel is told where the gradients are, which only a recorded step keeps where they were.
    sent = {'to_device': 1} if hasattr(gpu.xp, 'RawModule') else {}
    for quiet in (1, 3, 4):  # of iterations 2, 4 and 5 nothing is shown, validated or kept; before 1 all was sent
        assert counted[quiet] == sent
