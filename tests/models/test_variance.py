import numpy
import pytest

from models.variance import START_VARIANCE, ConstantVariance, VarianceESPCN3D
from util.volumes.sampling import Sampling


@pytest.mark.parametrize('kind', [VarianceESPCN3D, ConstantVariance])
def test_all_voxels_start_at_the_same_variance(kind):
    sampling, x = Sampling((1, 2, 3)), numpy.random.default_rng(0).random((2, 3, 4, 5, 6)).astype(numpy.float32)
    variance = kind(sampling, 3)(x)
    assert variance.shape == sampling.hr_shape(x.shape) and variance.dtype == numpy.float32
    numpy.testing.assert_allclose(variance.array, START_VARIANCE, rtol=1e-3)


def test_a_constant_variance_is_one_for_each_channel_and_never_below_0():
    variance = ConstantVariance(Sampling(2), 3)
    variance.b.array[...] = -1e6, 0, 5
    found = variance(numpy.zeros((2, 3, 4, 4, 4), numpy.float32)).array
    assert (found > 0).all() and all(numpy.ptp(found[:, channel]) == 0 for channel in range(3))
    numpy.testing.assert_allclose(found[0, 1:, 0, 0, 0], numpy.logaddexp(0, [0, 5]), rtol=1e-5)
