import numpy
import pytest
from scipy import stats

from models.noise import Noise


@pytest.mark.parametrize('shape', [(200001,), (3, 50000, 2)])
def test_normal_numbers_are_normal_and_independent_of_those_of_the_same_transform(shape):
    numbers = Noise().normal(numpy, shape)
    assert numbers.shape == shape and numbers.dtype == numpy.float32 and numpy.isfinite(numbers).all()
    flat = numbers.ravel().astype(float)
    assert stats.kstest(flat, 'norm').pvalue > 0.001
    half = -(-flat.size // 2)
    first, second = flat[:flat.size - half], flat[half:]
    for power in (1, 2):
        assert abs(numpy.corrcoef(first ** power, second ** power)[0, 1]) < 5 / numpy.sqrt(half)
    assert abs(numpy.corrcoef(flat[:-1], flat[1:])[0, 1]) < 5 / numpy.sqrt(flat.size)
