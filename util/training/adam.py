"""Adam, whose step on an NVIDIA GPU is one kernel."""
import chainer
import numpy

from models import gpu
from models.gpu.sources import kernel

_BLOCKS, _THREADS = 64, 256  # for each parameter
_PARAMETER = numpy.dtype([('arrays', 'u8', 4), ('size', 'i8'), ('eps', 'f8')])  # as adam.cu has it


class Adam(chainer.optimizers.Adam):
    """`chainer.optimizers.Adam`, its state and its results; on an NVIDIA GPU all parameters go through one kernel.

    Chainer starts one for each, and takes longer to start them than they take.

    Args:
        alpha, beta1, beta2 (float): As of Chainer's.
    """

    def __init__(self, alpha, beta1, beta2):
        super().__init__(alpha, beta1, beta2)
        self._arrays, self._table = [], None

    def update(self, lossfun=None, *arguments, **keywords):
        """Update the parameters; arguments as of `chainer.GradientMethod.update`."""
        # The first step is Chainer's, which makes the state, or brings that of a snapshot to the GPU.
        if lossfun is not None or self.t == 0:
            super().update(lossfun, *arguments, **keywords)
            return
        self.call_hooks('pre')
        self.t += 1
        params = list(self.target.params())
        if self._find(params):
            for param in params:
                param.update_rule.t += 1
            kernel('adam', 'adam')((_BLOCKS, len(params)), (_THREADS,), (
                self._table, *map(numpy.float32, (params[0].update_rule.alpha_t, 1 - self.beta1, 1 - self.beta2))))
        else:
            for param in params:
                param.update()
        self.call_hooks('post')

    def _find(self, params):
        """Look where all arrays are; False if they are not all where the kernel takes them."""
        arrays = []
        for param in params:
            state = param.update_rule.state
            arrays += param.array, param.grad, state['m'], state['v']
        if len(arrays) == len(self._arrays) and all(a is b for a, b in zip(arrays, self._arrays)):
            return True
        if not gpu.takes(*arrays) or not all(array.flags.c_contiguous for array in arrays):
            return False
        table = numpy.empty(len(params), _PARAMETER)
        table['arrays'] = numpy.reshape([array.data.ptr for array in arrays], (-1, 4))
        table['size'] = [param.size for param in params]
        table['eps'] = [param.update_rule.hyperparam.eps for param in params]
        self._arrays, self._table = arrays, self.target.device.send(table.view('u8'))
        return True
