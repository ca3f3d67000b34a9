import math

import pytest

from util.training.schedules import DECAYS, decayed


@pytest.mark.parametrize('name, expected', [
    ('linear', [2, 2, 2, 1.5, 1, 0.5, 0]),
    ('cosine', [2, 2, 2, 1 + math.cos(math.pi / 4), 1, 1 - math.cos(math.pi / 4), 0]),
    ('constant', [2] * 7),
])
def test_alpha_stays_until_the_start_and_ends_with_the_last_iteration(name, expected):
    assert [decayed(2.0, name, 2, 6, i) for i in range(7)] == pytest.approx(expected)


@pytest.mark.parametrize('name', DECAYS)
@pytest.mark.parametrize('start', [0, 6])
def test_a_decay_from_the_first_or_to_the_last_iteration_alone(name, start):
    values = [decayed(2.0, name, start, 6, i) for i in range(6)]
    assert values[0] == 2 and all(0 < value <= 2 for value in values)
    assert values == sorted(values, reverse=True)


def test_a_schedule_that_code_does_not_know_is_an_error():
    with pytest.raises(ValueError, match="schedule 'step' is unknown; known are linear, cosine, constant"):
        decayed(2.0, 'step', 0, 6, 0)
