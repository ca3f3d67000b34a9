"""Learning-rate schedules: alpha as a function of the iteration alone, so that a resumed run has nothing to restore."""
import math

from chainer import training

# name -> share of alpha left when the share t (0 to 1) of the decay is over
DECAYS = {
    'linear': lambda t: 1 - t,
    'cosine': lambda t: (1 + math.cos(math.pi * t)) / 2,  # Loshchilov & Hutter, "SGDR", ICLR 2017, without restarts
    'constant': lambda t: 1.0,
}


def decayed(alpha, name, start, end, iteration):
    """Alpha after ``iteration`` updates: ``alpha`` up to ``start``, then decaying to the schedule's end at ``end``.

    Args:
        alpha (float): The value before the decay.
        name (str): ``'linear'`` to 0, ``'cosine'`` (half a period) to 0, or ``'constant'``.
        start, end (int): First and last iteration of the decay.
        iteration (int): Updates done, 0 to ``end``.
    """
    if iteration <= start < end:
        return alpha
    return alpha * DECAYS[name]((iteration - start) / (end - start) if end > start else float(iteration >= end))


class AlphaSchedule(training.Extension):
    """Sets the optimizer's alpha before each update; the arguments are those of :func:`decayed`."""

    trigger = 1, 'iteration'

    def __init__(self, alpha, name, start, end):
        self.arguments = alpha, name, start, end

    def initialize(self, trainer):  # after a snapshot has been loaded, before the first update
        self(trainer)

    def __call__(self, trainer):
        trainer.updater.get_optimizer('main').alpha = decayed(*self.arguments, trainer.updater.iteration)
