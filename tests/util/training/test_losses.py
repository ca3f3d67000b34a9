import chainer
import numpy
import pytest
from chainer.distributions import Normal

from util.training.losses import LOSSES

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


@pytest.mark.parametrize('name', LOSSES)
def test_of_a_distribution_it_takes_the_mean(name):
    mean = chainer.Variable(1 + DIFFERENCE)
    truth = numpy.ones_like(DIFFERENCE)
    loss = LOSSES[name](Normal(mean, numpy.full_like(DIFFERENCE, 7)), truth)
    assert float(loss.array) == float(LOSSES[name](mean, truth).array)


def test_charbonnier_takes_its_epsilon():
    loss = LOSSES['charbonnier'](DIFFERENCE, numpy.zeros_like(DIFFERENCE), epsilon=0.5)
    assert float(loss.array) == pytest.approx(numpy.sqrt(DIFFERENCE.astype(float) ** 2 + 0.25).mean(), rel=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize('name', LOSSES)
def test_gpu_equals_cpu(name, gpu):
    def results(send):
        sr = chainer.Variable(send(1 + DIFFERENCE))
        loss = LOSSES[name](Normal(sr, send(numpy.ones_like(DIFFERENCE))), send(numpy.ones_like(DIFFERENCE)))
        loss.backward()
        return loss.array, sr.grad

    for on_gpu, on_cpu in zip(results(gpu.send), results(numpy.asarray), strict=True):
        numpy.testing.assert_allclose(on_gpu.get(), on_cpu, rtol=1e-5, atol=1e-9)
