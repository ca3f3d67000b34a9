from types import SimpleNamespace

import chainer
import numpy
import pytest

from util.config_files import load_config
from util.script import PROJECT
from util.training.pictures import MOST
from util.training.trainer import every, make_iterator, seldom


def test_patches_are_mirrored_up_to_an_iteration_and_no_longer():
    """HR rises along x, and falls where it is mirrored."""
    config = load_config(PROJECT / 'configs/base.yml', (
        'batchsize=16', 'patchside=4', 'flip=x', 'flip_until=3', 'iteration=6', 'iteration_decay_start=0'))
    hr = numpy.tile(numpy.arange(32, dtype=numpy.float32), (1, 16, 16, 1))
    batches = make_iterator(config, [(hr[:, ::4, ::4, ::4], hr)], chainer.get_device('@numpy'), slice(0, 16))
    mirrored = [sum(hr[0, 0, 0, 0] > hr[0, 0, 0, -1] for _, hr in next(batches)) for _ in range(config.iteration)]
    assert all(0 < count < 16 for count in mirrored[:3]) and mirrored[3:] == [0, 0, 0]


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
