import chainer
import numpy
import pytest
from chainer import gradient_check
from skimage.metrics import structural_similarity

from util.training import ssim as module
from util.training.ssim import ssim


def volumes(shape, seed=0):
    rng = numpy.random.default_rng(seed)
    y = rng.random(shape, numpy.float32)
    return y + 0.1 * rng.standard_normal(shape, numpy.float32), y


@pytest.mark.parametrize('peak', [1.0, 2.5, 10.0])
def test_it_is_what_scikit_image_has(peak):
    """With the large peak the constant beside the covariances is as large as they are, and tells biased ones."""
    x, y = volumes((12, 9, 14))
    expected = structural_similarity(x.astype(float), y.astype(float), data_range=peak)
    value = ssim(x, y, peak)
    assert value.shape == () and value.dtype == numpy.float32
    assert float(value.array) == pytest.approx(expected, abs=1e-5)


def test_of_a_batch_it_is_the_mean():
    x, y = volumes((2, 3, 8, 9, 7))
    each = [structural_similarity(a.astype(float), b.astype(float), data_range=1)
            for a, b in zip(x.reshape(6, 8, 9, 7), y.reshape(6, 8, 9, 7))]
    assert float(ssim(x, y, 1.0).array) == pytest.approx(numpy.mean(each), abs=1e-5)


def test_its_gradient_is_the_numerical_one():
    x, y = (volume.astype(float) for volume in volumes((1, 1, 9, 8, 7)))
    gradient_check.check_backward(lambda x: ssim(x, y, 1.0), x, None, dtype='d', atol=1e-6, rtol=1e-4)


def test_slabs_change_nothing(monkeypatch):
    """A volume of 21 planes has 15 windows along them: two slabs of 6, and what is left."""
    x, y = volumes((1, 21, 8, 8))
    at_once = float(ssim(x, y, 1.0).array)
    shapes = []
    monkeypatch.setattr(module, 'DEPTH', 6)
    monkeypatch.setattr(module, '_map', lambda x, y, peak, map=module._map: shapes.append(x.shape) or map(x, y, peak))
    with chainer.no_backprop_mode():
        assert float(ssim(x, y, 1.0).array) == pytest.approx(at_once, abs=1e-6)
    assert [shape[1] for shape in shapes] == [12, 12, 9]


def test_alike_volumes_have_1():
    x, _ = volumes((7, 7, 7))
    assert float(ssim(x, x, 1.0).array) == pytest.approx(1, abs=1e-6)
