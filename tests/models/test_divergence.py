import chainer
import numpy
import pytest
from chainer import gradient_check

from models.divergence import K1, K2, K3, divergence


def test_it_is_the_formula_of_the_paper():
    log_alpha = numpy.linspace(-20, 20, 50).reshape(10, 5)
    expected = -(K1 / (1 + numpy.exp(-K2 - K3 * log_alpha)) - numpy.log1p(numpy.exp(-log_alpha)) / 2 - K1).sum()
    assert float(divergence(log_alpha).array) == pytest.approx(expected, rel=1e-12)


def test_its_gradient_is_the_numerical_one():
    log_alpha = numpy.random.default_rng(0).uniform(-6, 6, (6, 5))
    gradient_check.check_backward(divergence, log_alpha, numpy.array(1.5), dtype='d')


def test_an_alpha_beyond_float32_overflows_nothing():
    log_alpha = chainer.Parameter(numpy.array([-300, 300], numpy.float32))
    y = divergence(log_alpha)
    y.backward()
    assert float(y.array) == pytest.approx(150 + K1, rel=1e-6)
    numpy.testing.assert_allclose(log_alpha.grad, [-0.5, 0])


def test_a_second_gradient_is_refused():
    log_alpha = chainer.Variable(numpy.zeros(3))
    with pytest.raises(RuntimeError, match='differentiable once'):
        chainer.grad([divergence(log_alpha)], [log_alpha], enable_double_backprop=True)
