import chainer
import chainer.functions as F
import numpy
import pytest
from chainer import gradient_check

from models.draw import draw


@pytest.mark.parametrize('relu', [False, True])
def test_the_gradient_of_a_draw_is_right_twice(relu):
    rng = numpy.random.default_rng(0)
    mean, variance, noise = rng.normal(size=(2, 3, 4)), rng.uniform(0.5, 2, (2, 3, 4)), rng.normal(size=(2, 3, 4))
    mean[numpy.abs(mean + numpy.sqrt(variance) * noise) < 0.1] += 0.5  # no kink within the numerical difference

    def drawn(mean, variance):
        return draw(mean, variance, noise, relu)

    grads = [rng.normal(size=(2, 3, 4)) for _ in range(3)]
    gradient_check.check_backward(drawn, (mean, variance), grads[0], dtype='d')
    gradient_check.check_double_backward(drawn, (mean, variance), grads[0], grads[1:], dtype='d', rtol=1e-3)


def test_a_variance_of_0_and_a_little_below_has_a_finite_gradient():
    variance = chainer.Variable(numpy.array([0, -1e-12], numpy.float32))
    y = draw(numpy.ones(2, numpy.float32), variance, numpy.ones(2, numpy.float32))
    F.sum(y).backward()
    numpy.testing.assert_allclose(y.array, 1, atol=1e-3)
    assert numpy.isfinite(variance.grad).all()


@pytest.mark.parametrize('needed', [(True, False), (False, True)])
def test_the_gradient_of_a_draw_has_a_gradient_where_only_one_of_both_is_asked_for(needed):
    """d/d variance of n / (2 sqrt(variance)) is -n / (4 variance^(3/2)), and of the mean's gradient it is 0."""
    mean, variance = (chainer.Variable(numpy.full(2, value)) for value in (1.0, 4.0))
    y = draw(mean, variance, numpy.array([0.5, -2]))
    of_mean, of_variance = chainer.grad([F.sum(y)], [mean, variance], enable_double_backprop=True)
    gradient, = chainer.grad([F.sum(of_mean if needed[0] else of_variance)], [variance])
    expected = [0, 0] if needed[0] else [-0.5 / 32, 2 / 32]
    numpy.testing.assert_allclose(gradient.array, expected, rtol=1e-6, atol=1e-12)
