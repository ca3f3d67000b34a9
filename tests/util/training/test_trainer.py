from types import SimpleNamespace

import pytest

from util.training.pictures import MOST
from util.training.trainer import every, seldom


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
