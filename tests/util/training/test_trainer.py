import contextlib
from types import SimpleNamespace

import chainer
import numpy
import pytest

from models.bayesian_espcn3d import BayesianESPCN3D
from util.config_files import load_config
from util.dataset.pairs import Pairs
from util.inference.network import build_network
from util.script import PROJECT
from util.training.pictures import MOST
from util.training.trainer import every, make_iterator, make_trainer, seldom
from util.volumes.geometry import Geometry


BASE = PROJECT / 'configs/base.yml'
SMALL = 'batchsize=16', 'patchside=4', 'iteration=6', 'iteration_decay_start=0'
RAMP = numpy.tile(numpy.arange(32, dtype=numpy.float32), (1, 32, 32, 1))  # HR that rises along x


def batches(*changes, hr=RAMP, flip='none'):
    """The batches of an experiment: of each the HR patches, (16, 4, 4, 4)."""
    config = load_config(BASE, (*SMALL, *changes, f'flip={flip}'))
    its = make_iterator(config, [(hr[:, ::4, ::4, ::4], hr)], chainer.get_device('@numpy'), slice(0, 16))
    with contextlib.ExitStack() as last:
        last.callback(its.finalize)
        return [numpy.stack([hr[0] for _, hr in next(its)]) for _ in range(config.iteration)]


def test_patches_are_mirrored_up_to_an_iteration_and_no_longer():
    mirrored = [(hr[..., 0] > hr[..., -1]).all(axis=(1, 2)).sum() for hr in batches('flip_until=3', flip='x')]
    assert all(0 < count < 16 for count in mirrored[:3]) and mirrored[3:] == [0, 0, 0]


def test_patches_are_those_of_the_seed():
    one, same, other = batches(), batches(), batches('seed=1')
    numpy.testing.assert_array_equal(one, same)
    assert not numpy.array_equal(one, other)


def test_the_share_of_patches_from_anywhere_is_that_of_the_config():
    """The head is a corner of the volume, an eighth of it."""
    hr = numpy.ones((1, 32, 32, 32), numpy.float32)
    hr[:, :16, :16, :16] = 100
    in_head = [numpy.mean([(patches == 100).all(axis=(1, 2, 3)) for patches in batches(*changes, hr=hr)])
               for changes in (('background_share=0',), ('background_share=0.5',), ())]
    assert in_head[0] == 1 and 0.35 < in_head[1] < 0.75 and in_head[2] < 0.3


def test_patches_differ_as_the_config_says_scans_do():
    plain, inverted = (numpy.concatenate(batches(*changes)) for changes in ((), ('drawn.inverted=1',)))
    assert (plain[..., 0] < plain[..., -1]).all() and (inverted[..., 0] > inverted[..., -1]).all()


BAYESIAN = ('models.generator.fn=models/bayesian_espcn3d.py', 'models.generator.name=BayesianESPCN3D', 'seed=5',
            'models.generator.args={conv3_init: zero}', 'loss={name: gaussian_nll, beta: 0}')


def trainer_of(folder, *changes):
    """One whose truth is 3 everywhere, with two volumes of 16 voxels along each axis."""
    config = load_config(BASE, ('batchsize=2', 'patchside=8', 'flip=none', *changes))
    numpy.random.seed(0)
    hr = numpy.full((1, 16, 16, 16), 3, numpy.float32)
    geometry = Geometry((1.0,) * 3, (0.0,) * 3, tuple(numpy.eye(3).ravel()))
    pairs = Pairs(['a', 'b'], [(hr[:, ::4, ::4, ::4], hr)] * 2, [geometry] * 2, [0, 0])
    return make_trainer(config, build_network(config), pairs, pairs, folder)


def loss_of(trainer):
    """That of the next update."""
    observation = {}
    with trainer.reporter.scope(observation):
        trainer.updater.update()
    return float(observation['main/loss'])


def test_the_optimizer_has_the_settings_of_the_config_and_what_the_network_makes_of_it(tmp_path, monkeypatch):
    tuned = []
    monkeypatch.setattr(BayesianESPCN3D, 'tune', lambda net, optimizer: tuned.append(optimizer))
    adam = trainer_of(tmp_path, *BAYESIAN, 'adam={alpha: 0.5, beta1: 0.25, beta2: 0.75}').updater.get_optimizer('main')
    assert (adam.alpha, adam.beta1, adam.beta2) == (0.5, 0.25, 0.75) and tuned == [adam]


def test_the_loss_has_the_settings_of_the_config(tmp_path):
    """sqrt((0 - 3)^2 + epsilon^2): conv3 is 0."""
    changes = 'models.generator.args={conv3_init: zero}', 'loss={name: charbonnier, epsilon: 4}'
    assert loss_of(trainer_of(tmp_path, *changes)) == pytest.approx(5)


def test_the_divergence_of_uncertain_weights_counts_once_per_voxel_of_the_training_set(tmp_path, monkeypatch):
    losses = []
    for divergence in (0, 7):
        monkeypatch.setattr(BayesianESPCN3D, 'divergence', lambda net, each=divergence: each * 2 * 16 ** 3)
        losses.append(loss_of(trainer_of(tmp_path, *BAYESIAN)))
    assert losses[1] - losses[0] == pytest.approx(7, rel=1e-3)


def test_the_noise_of_uncertain_weights_is_that_of_the_seed_and_the_iteration(tmp_path, monkeypatch):
    begun, seed_noise = [], BayesianESPCN3D.seed_noise
    monkeypatch.setattr(BayesianESPCN3D, 'seed_noise', lambda net, *numbers, **which: (
        begun.append((numbers, which)), seed_noise(net, *numbers, **which)))
    trainer = trainer_of(tmp_path, *BAYESIAN)
    for _ in range(2):
        loss_of(trainer)
    assert begun == [((5, iteration), {'batchsize': 2, 'share': slice(0, 2)}) for iteration in (0, 1)]


@pytest.mark.parametrize('iteration, evaluation_interval', [
    (24000, 1000), (100000, 1000), (6, 3), (7, 3), (5, 10), (1000, 1), (2601, 100)])
def test_pictures_are_few_and_of_validations_and_one_is_of_the_last(iteration, evaluation_interval):
    config = SimpleNamespace(iteration=iteration, evaluation_interval=evaluation_interval)
    fired = {trigger: [n for n in range(1, iteration + 1)
                       if trigger(SimpleNamespace(updater=SimpleNamespace(iteration=n)))]
             for trigger in (seldom(config), every(evaluation_interval, config))}
    pictures, validations = fired.values()
    assert set(pictures) <= set(validations) and pictures[-1] == iteration
    assert min(MOST, len(validations)) / 2 <= len(pictures) <= MOST + 1
