"""The two ways of convolving on a GPU against those on the CPU, in float64."""
import math

import numpy
import pytest

from models import gather_3d as gather_on_cpu
from models.gpu import gather_3d, winograd_3d
from tests.models.test_convolution_3d import CASES, make

pytestmark = pytest.mark.gpu
LARGE = 100_000  # products of channels and voxels, for which the stand-in takes a while


def cases():
    """(way, case) of all that a way computes."""
    for way in (gather_3d, winograd_3d):
        for case in CASES:
            n, channels_in, channels_out, size, k = case
            if way is gather_3d or k in (3, 5):
                slow = n * channels_in * channels_out * math.prod(size) > LARGE
                yield pytest.param(way, case, id=f'{way.__name__} {case}', marks=[pytest.mark.slow] * slow)


def channels_last(a):
    return numpy.ascontiguousarray(a.transpose(0, 2, 3, 4, 1))


@pytest.mark.parametrize('at_a_time', [None, 300_000])
@pytest.mark.parametrize('way, case', list(cases()))
def test_they_give_what_the_cpu_gives(gpu_with_kernels, monkeypatch, way, case, at_a_time):
    x, W, b, gy = make(case)
    ksize = W.shape[2:]
    if at_a_time:
        monkeypatch.setattr(way, '_BYTES', at_a_time)  # so that it goes in several parts
    x, gy = channels_last(x), channels_last(gy)
    mask = numpy.random.default_rng(1).standard_normal(gy.shape).astype('float32')
    expected = (gather_on_cpu.convolve(*(a.astype('float64') for a in (x, W, b)), relu=True, mask=mask),
                gather_on_cpu.weight_gradient(x.astype('float64'), gy.astype('float64'), ksize))
    x, W, b, gy, mask = map(gpu_with_kernels.send, (x, W, b, gy, mask))
    found = way.convolve(x, W, b, True, mask), way.weight_gradient(x, gy, ksize)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == 'float32' and ours.flags.c_contiguous
        assert numpy.linalg.norm(ours.get() - theirs) <= 5e-6 * max(numpy.linalg.norm(theirs), 1e-30)


@pytest.mark.parametrize('way', [gather_3d, winograd_3d])
def test_nan_stays_nan(gpu_with_kernels, way):
    """A training whose loss is not finite must be seen to be so."""
    x, W, b, _ = make((1, 4, 4, (5, 5, 5), 3))
    x[...] = numpy.nan
    y = way.convolve(*map(gpu_with_kernels.send, (channels_last(x), W, b)), relu=True)
    assert numpy.isnan(y.get()).all()
