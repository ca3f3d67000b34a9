import chainer
import chainer.functions as F
import numpy
import pytest
from chainer import gradient_check
from chainer.distributions import Normal

from util.training.losses import LOSSES
from util.training.margin import with_margin


def patches(shape=(2, 1, 8, 10, 12)):
    rng = numpy.random.default_rng(0)
    return [rng.standard_normal(shape).astype(numpy.float32) for _ in range(2)]


def test_it_is_mostly_the_loss_of_the_inner_part():
    """By the weights that its docstring gives, and with any margin of any axis."""
    sr, hr = patches()
    loss = with_margin(LOSSES['mse'], (2, 0, 3))(chainer.Variable(sr), hr)
    squares = (sr.astype(float) - hr) ** 2
    assert float(loss.array) == pytest.approx(0.9 * squares[..., 2:-2, :, 3:-3].mean() + 0.1 * squares.mean(), rel=1e-5)


def test_without_a_margin_it_is_the_loss_itself():
    assert with_margin(LOSSES['l1'], (0, 0, 0)) is LOSSES['l1']


@pytest.mark.parametrize('name', ['mse', 'l1', 'charbonnier', 'mse_ssim', 'psnr'])
def test_its_gradient_is_that_of_parts_taken_by_chainer(name):
    sr, hr = patches((2, 1, 10, 12, 11))
    ours, reference = chainer.Variable(sr), chainer.Variable(sr)
    with_margin(LOSSES[name], (1, 2, 0))(ours, hr).backward()
    inner = (..., slice(1, -1), slice(2, -2), slice(None))
    (0.9 * LOSSES[name](F.get_item(reference, inner), hr[inner]) + 0.1 * LOSSES[name](reference, hr)).backward()
    numpy.testing.assert_allclose(ours.grad, reference.grad, rtol=1e-5, atol=1e-9)


def test_its_gradients_are_the_numerical_ones_and_so_are_those_of_the_gradients():
    sr, hr = (array.astype(numpy.float64) for array in patches((1, 1, 3, 4, 5)))
    loss = with_margin(lambda prediction, hr: F.sum((prediction - hr) ** 3), (1, 1, 0))
    gradient_check.check_backward(lambda x: loss(x, hr), sr, None, rtol=1e-4, atol=1e-5)
    gradient_check.check_double_backward(lambda x: loss(x, hr), sr, numpy.ones(()), numpy.ones_like(sr), rtol=1e-4,
                                         atol=1e-5)


def test_of_a_distribution_each_parameter_is_cut_and_what_else_the_loss_takes_is_passed_on():
    mean, hr = patches()
    scale, divergence = 1 + abs(mean), numpy.float32(0.25)
    nll = LOSSES['gaussian_nll']
    loss = with_margin(nll, (0, 1, 4))(Normal(chainer.Variable(mean), chainer.Variable(scale)), hr, divergence)
    inner = (..., slice(1, -1), slice(4, -4))
    parts = [(mean[inner], scale[inner], hr[inner]), (mean, scale, hr)]
    of_inner, of_whole = (float(nll(Normal(loc, s), truth, divergence).array) for loc, s, truth in parts)
    assert float(loss.array) == pytest.approx(0.9 * of_inner + 0.1 * of_whole, rel=1e-5)
    assert of_inner != pytest.approx(of_whole, rel=1e-2)
