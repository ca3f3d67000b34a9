"""The step of a training: a batch, its loss, the gradients, the update."""
import chainer
from chainer import training
from chainer.backends import cuda
from chainer.dataset import concat_examples

from models import gpu
from util.training.recording import Recording


class Updater(training.StandardUpdater):
    """Chainer's StandardUpdater, which on an NVIDIA GPU records the forward and the backward pass.

    So it does for a network whose class says so with its attribute ``is_static`` (`models.network`).

    Args:
        iterator (~chainer.dataset.Iterator): Of batches of (LR, HR) patches, on the network's device.
        optimizer (~chainer.Optimizer): Set up with the network.
        loss (callable): (LR, HR) -> scalar Variable, which the trainer reports as ``loss``.
    """

    def __init__(self, iterator, optimizer, loss):
        super().__init__(iterator, optimizer, device=optimizer.target.device)
        self._loss, self._recording, self._gradients = loss, None, []

    def update_core(self):
        optimizer = self.get_optimizer('main')
        batch = self.get_iterator('main').next()
        with chainer.using_device(self.device):
            loss = self._recorded(batch) if self._records(batch) else self._backward(*concat_examples(batch))
            chainer.report({'loss': loss}, optimizer.target)  # before the update, in which ranks report that of all
            optimizer.update()

    def _records(self, batch):
        """Whether the step of a batch is recorded; one of another size than the first is not."""
        shapes = [(len(batch), *array.shape) for array in batch[0]]
        return (vars(type(self.get_optimizer('main').target)).get('is_static', False) and gpu.takes(*batch[0])
                and hasattr(cuda.cupy.cuda, 'Graph')  # CuPy's stand-in in the tests has none
                and (self._recording is None or [array.shape for array in self._recording.arguments] == shapes))

    def _backward(self, lr, hr):
        """Gradients of the parameters, C-contiguous; the loss, a scalar array."""
        net = self.get_optimizer('main').target
        loss = self._loss(lr, hr)
        net.cleargrads()
        loss.backward()
        for param in net.params():
            if param.grad is not None and not param.grad.flags.c_contiguous:
                param.grad = param.grad.copy(order='C')
        return loss.array

    def _recorded(self, batch):
        """What `_backward` does."""
        if self._recording is None:
            self._recording = Recording(self._backward, concat_examples(batch))
            # What the loss does not go by has no gradient: the optimizer makes a zero once.
            self._gradients = [(param, param.grad) for param in self.get_optimizer('main').target.params()
                               if param.grad is not None]
        for param, gradient in self._gradients:
            param.grad = gradient  # where the recording writes, whatever has become of it since
        for i, example in enumerate(batch):
            for whole, part in zip(self._recording.arguments, example):
                whole[i] = part
        return self._recording()
