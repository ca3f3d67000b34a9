"""The model that did best on validation, kept beside the last one."""
import math

from chainer import training

from models.network import has_fixed_mean
from util.inference.model_file import save_network


class BestModel(training.Extension):
    """Writes the network to a file whenever ``val/psnr`` is higher than ever before; trigger it with the validation.

    Of a network whose mean is fixed, and so its PSNR: whenever ``val/loss`` is lower than ever before.

    The best weights so far travel in the trainer's snapshot, so that a resumed run has them too, in whatever folder.

    Args:
        path (Path): Model file.
        net (~chainer.Chain): The network that trains.
        experiment (str): YAML text of the experiment, which the model file holds.
        lie (~util.volumes.orientation.Lie), looks (dict): How the LR volumes of the training lie, and what they look
            like, which it holds too.
    """

    priority = training.PRIORITY_EDITOR  # after the validation has reported, before the snapshot is written
    name = 'best'

    def __init__(self, path, net, experiment, lie=None, looks=None):
        self.path = path
        self.net = net
        self.experiment = experiment
        self.kinds = lie, looks
        self.best = net.copy(mode='copy')
        self.by_loss = has_fixed_mean(net)
        self.psnr, self.loss = -math.inf, math.inf
        self.iteration = 0

    def initialize(self, trainer):
        if self.iteration:  # a snapshot brought it
            save_network(self.path, self.best, self.experiment, *self.kinds)

    def __call__(self, trainer):
        psnr, loss = (float(trainer.observation[f'val/{name}']) for name in ('psnr', 'loss'))
        if loss < self.loss if self.by_loss else psnr > self.psnr:
            self.psnr, self.loss, self.iteration = psnr, loss, trainer.updater.iteration
            self.best.copyparams(self.net)
            save_network(self.path, self.best, self.experiment, *self.kinds)

    def serialize(self, serializer):
        self.psnr = serializer('psnr', self.psnr)
        if self.by_loss:
            self.loss = serializer('loss', self.loss)
        self.iteration = serializer('iteration', self.iteration)
        self.best.serialize(serializer['net'])
