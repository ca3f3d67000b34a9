import chainer
import numpy
import pytest

from util.losses import LOSSES

DIFFERENCE = numpy.array([[0.0, 3e-4, -0.5], [2.0, -1e-3, 0.1]], numpy.float32)
FORMULAS = {'mse': lambda d: d**2, 'l1': abs, 'charbonnier': lambda d: numpy.sqrt(d**2 + 1e-6)}
DERIVATIVES = {'mse': lambda d: 2 * d, 'l1': numpy.sign, 'charbonnier': lambda d: d / numpy.sqrt(d**2 + 1e-6)}


@pytest.mark.parametrize('name', LOSSES)
def test_it_is_the_mean_of_the_formula_and_so_is_its_gradient(name):
    sr = chainer.Variable(1 + DIFFERENCE)
    loss = LOSSES[name](sr, numpy.ones_like(DIFFERENCE))
    difference = (sr.array - 1).astype(numpy.float64)
    assert loss.shape == () and loss.dtype == numpy.float32
    assert float(loss.array) == pytest.approx(FORMULAS[name](difference).mean(), rel=1e-5)
    loss.backward()
    numpy.testing.assert_allclose(sr.grad, DERIVATIVES[name](difference) / difference.size, rtol=1e-4, atol=1e-9)
