import chainer
import numpy
import pytest
from chainer import gradient_check

from models.softplus import softplus


def test_softplus_is_its_formula_and_its_gradients_are_right_twice():
    x = numpy.linspace(-30, 30, 24).reshape(4, 6)
    numpy.testing.assert_allclose(softplus(x).array, numpy.logaddexp(0, x), rtol=1e-12)
    x = numpy.random.default_rng(0).normal(size=(2, 5))
    gradient_check.check_backward(softplus, x, numpy.ones_like(x), dtype='d')
    gradient_check.check_double_backward(softplus, x, numpy.ones_like(x), numpy.ones_like(x), dtype='d')


@pytest.mark.gpu
def test_softplus_on_a_gpu_is_that_of_the_cpu(gpu):
    x = numpy.linspace(-120, 120, 25, dtype=numpy.float32)
    on_gpu, on_cpu = chainer.Variable(gpu.send(x)), chainer.Variable(x)
    for y in (softplus(on_gpu), softplus(on_cpu)):
        chainer.functions.sum(y).backward()
    # a GPU makes 0 of what is smaller than 1e-38
    numpy.testing.assert_allclose(on_gpu.grad.get(), on_cpu.grad, rtol=1e-5, atol=1e-38)
    numpy.testing.assert_allclose(softplus(on_gpu).array.get(), softplus(on_cpu).array, rtol=1e-5, atol=1e-38)
