import numpy
import pytest

from models.gpu.sum_of_squares import sum_of_squares


@pytest.mark.gpu
@pytest.mark.parametrize('size', [1, 255, 100_003, 3_000_000])
def test_it_is_that_of_numpy(gpu_with_kernels, size):
    x = numpy.random.default_rng(0).standard_normal(size).astype('float32')
    ours = sum_of_squares(gpu_with_kernels.send(x))
    assert ours.shape == () and ours.dtype == 'float32'
    assert float(ours) == pytest.approx((x.astype('float64') ** 2).sum(), rel=1e-6)
