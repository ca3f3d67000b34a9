"""Validation on whole volumes while a network trains."""
import chainer
import chainer.functions as F
import numpy
from chainer import training

from util.interpolation import upsample
from util.metrics import psnr
from util.reconstruction import reconstruct


class VolumeEvaluator(training.Extension):
    """Reports the network's loss and PSNR on the validation volumes, and linear interpolation's PSNR beside it.

    The volumes are whole and always the same, so that curves of different runs can be compared.

    Reports ``val/loss`` (the training's loss), ``val/psnr`` and ``val/psnr_linear`` (dB), all means of the volumes.

    Args:
        net (~chainer.Chain): The network that trains.
        pairs: List of (lr, hr) arrays, (z, y, x), float32, with scaled intensities.
        offset ((float, float, float)): HR index of the centre of LR voxel 0, (z, y, x).
        loss: Function of (sr, hr) that gives a scalar Variable.
    """

    trigger = 1, 'epoch'
    priority = training.PRIORITY_WRITER
    name = 'validation'

    def __init__(self, net, pairs, offset, loss=F.mean_squared_error):
        self.net = net
        self.pairs = pairs
        self.loss = loss
        self.psnr_linear = numpy.mean([psnr(hr, upsample(lr, net.rate, offset, 'linear')) for lr, hr in pairs])

    def __call__(self, trainer):
        losses, psnrs = [], []
        for lr, hr in self.pairs:
            sr = reconstruct(self.net, lr)
            losses.append(float(self.loss(sr, hr).array))
            psnrs.append(psnr(hr, sr))
        chainer.report({'val/loss': numpy.mean(losses), 'val/psnr': numpy.mean(psnrs),
                        'val/psnr_linear': self.psnr_linear})
