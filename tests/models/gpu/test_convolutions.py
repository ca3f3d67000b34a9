"""The two ways of convolving on a GPU against those on the CPU, in float64."""
import numpy
import pytest

from models import gather_3d as gather_on_cpu
from models.gpu import gather_3d, winograd_3d
from tests.models.test_convolution_3d import CASES, make

pytestmark = pytest.mark.gpu


def channels_last(a):
    return numpy.ascontiguousarray(a.transpose(0, 2, 3, 4, 1))


@pytest.mark.parametrize('at_a_time', [None, 300_000])
@pytest.mark.parametrize('way', [gather_3d, winograd_3d])
@pytest.mark.parametrize('case', CASES, ids=str)
def test_they_give_what_the_cpu_gives(real_gpu, monkeypatch, case, way, at_a_time):
    x, W, b, gy = make(case)
    ksize = W.shape[2:]
    if way is winograd_3d and ksize not in [(3, 3, 3), (5, 5, 5)]:
        pytest.skip('no such filtering')
    if at_a_time:
        monkeypatch.setattr(way, '_BYTES', at_a_time)  # so that it goes in several parts
    x, gy = channels_last(x), channels_last(gy)
    mask = numpy.random.default_rng(1).standard_normal(gy.shape).astype('float32')
    expected = (gather_on_cpu.convolve(*(a.astype('float64') for a in (x, W, b)), relu=True, mask=mask),
                gather_on_cpu.weight_gradient(x.astype('float64'), gy.astype('float64'), ksize))
    x, W, b, gy, mask = map(real_gpu.send, (x, W, b, gy, mask))
    found = way.convolve(x, W, b, True, mask), way.weight_gradient(x, gy, ksize)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == 'float32' and ours.flags.c_contiguous
        assert numpy.linalg.norm(ours.get() - theirs) <= 5e-6 * max(numpy.linalg.norm(theirs), 1e-30)


@pytest.mark.parametrize('way', [gather_3d, winograd_3d])
def test_nan_stays_nan(real_gpu, way):
    """A training whose loss is not finite must be seen to be so."""
    x, W, b, _ = make((1, 4, 4, (5, 5, 5), 3))
    x[...] = numpy.nan
    y = way.convolve(*map(real_gpu.send, (channels_last(x), W, b)), relu=True)
    assert numpy.isnan(y.get()).all()
