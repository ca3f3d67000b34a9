"""log(1 + exp(x)), which makes numbers positive."""
import chainer.functions as F
from chainer import function_node
from chainer.backends import cuda


class _Softplus(function_node.FunctionNode):
    """log(1 + exp(x)). `F.softplus` overflows in its gradient where x is above 88."""

    def forward(self, inputs):
        self.retain_inputs((0,))
        self.retain_outputs((0,))
        x, = inputs
        xp = cuda.get_array_module(x)
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.absolute(x))),

    def backward(self, indexes, grad_outputs):
        x, y = *self.get_retained_inputs(), *self.get_retained_outputs()
        return F.exp(x - y) * grad_outputs[0],  # the sigmoid of x, which cannot overflow so


def softplus(x):
    """log(1 + exp(x)), of any x.

    Args:
        x (~chainer.Variable or array): Any shape, floating point.

    Returns:
        ~chainer.Variable: The same shape and dtype, never negative.
    """
    return _Softplus().apply((x,))[0]
