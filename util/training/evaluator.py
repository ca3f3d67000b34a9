"""Validation on whole volumes while a network trains."""
import chainer
import numpy
from chainer import training

from models import reused_memory
from models.cpu_blocks import workers
from models.network import mean_of
from util.inference.tiling import predict
from util.ranks import ALONE
from util.scores.metrics import psnr
from util.volumes.interpolation import upsample


class VolumeEvaluator(training.Extension):
    """Reports the network's loss and PSNR on the validation volumes, and linear interpolation's PSNR beside it.

    The volumes are whole and always the same, so that curves of different runs can be compared.

    Reports ``val/loss`` (the training's loss, without a margin; of uncertain weights without their divergence),
    ``val/psnr`` and ``val/psnr_linear`` (dB), each the mean of the volumes.

    Args:
        net (~chainer.Chain): The network that trains.
        pairs (list): (lr, hr) of each case: arrays (C, z, y, x), float32, with scaled intensities.
        loss: Function of (prediction, hr) that gives a scalar Variable.
        sample: Function that is called with the trainer, what the network made of the first volume, (C, z, y, x),
            float32, and its PSNR; None: nothing is.
        ranks (~util.ranks.OneProcess): The processes that share the volumes out.
    """

    trigger = 1, 'epoch'
    priority = training.PRIORITY_WRITER
    name = 'validation'

    def __init__(self, net, pairs, loss, sample=None, ranks=ALONE):
        self.net = net
        self.pairs = ranks.deal(pairs)
        self.loss = loss
        self.sample = sample
        self.ranks = ranks
        # BLAS on one thread, as in training: on several it rounds otherwise from run to run, and logs would differ.
        with workers.alone():
            linear = [psnr(hr, upsample(lr, net.sampling, 'linear')) for lr, hr in self.pairs]
        self.psnr_linear = numpy.mean(ranks.collect(linear))

    def __call__(self, trainer):
        losses, psnrs = [], []
        for lr, hr in self.pairs:
            prediction = predict(self.net, lr)
            with chainer.no_backprop_mode():
                losses.append(float(self.loss(prediction, hr).array))
            mean = chainer.as_variable(mean_of(prediction)).array
            psnrs.append(psnr(hr, mean))
            if self.sample and len(psnrs) == 1:
                self.sample(trainer, mean, psnrs[0])
            del prediction, mean  # so that the next line but one gives their memory back
        losses, psnrs = self.ranks.collect(losses), self.ranks.collect(psnrs)
        reused_memory.release()  # a volume's arrays have other sizes than a batch's
        chainer.report({'val/loss': numpy.mean(losses), 'val/psnr': numpy.mean(psnrs),
                        'val/psnr_linear': self.psnr_linear})
