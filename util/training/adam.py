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
        self._arrays, self._eps, self._table = [], [], None

    def update(self, lossfun=None, *arguments, **keywords):
        """Update the parameters; arguments as of `chainer.GradientMethod.update`."""
        # The first step is Chainer's, which makes the state, or brings that of a snapshot to the GPU.
        if lossfun is not None or self.t == 0:
            super().update(lossfun, *arguments, **keywords)
            return
        self.reallocate_cleared_grads()
        self.call_hooks('pre')
        self.t += 1
        params = list(self.target.params())
        if self._find(params):
            for param in params:
                param.update_rule.t += 1
            rule = params[0].update_rule
            kernel('adam', 'adam')((_BLOCKS, len(params)), (_THREADS,), (
                self._table, *map(numpy.float32, (rule.alpha_t, 1 - rule.hyperparam.beta1, 1 - rule.hyperparam.beta2))))
        else:
            for param in params:
                param.update()
        self.call_hooks('post')

    def _find(self, params):
        """Look where all arrays are; False if the kernel does not take them, or they are not all treated alike."""
        rules = [param.update_rule for param in params]
        if not all(rule and rule.enabled and rule.state for rule in rules):
            return False
        alike = {(rule.t, rule.hyperparam.alpha, rule.hyperparam.beta1, rule.hyperparam.beta2) for rule in rules}
        arrays = [array for param, rule in zip(params, rules)
                  for array in (param.array, param.grad, rule.state['m'], rule.state['v'])]
        eps = [rule.hyperparam.eps for rule in rules]
        if len(alike) > 1:
            return False
        if (len(arrays) == len(self._arrays) and all(a is b for a, b in zip(arrays, self._arrays))
                and eps == self._eps):
            return True
        if not gpu.takes(*arrays) or not all(array.flags.c_contiguous for array in arrays):
            return False
        table = numpy.empty(len(params), _PARAMETER)
        table['arrays'] = numpy.reshape([array.data.ptr for array in arrays], (-1, 4))
        table['size'] = [param.size for param in params]
        table['eps'] = eps
        self._arrays, self._eps, self._table = arrays, eps, self.target.device.send(table.view('u8'))
        return True
