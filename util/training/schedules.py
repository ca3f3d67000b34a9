"""Learning-rate schedules: alpha as a function of the iteration alone, so that a resumed run has nothing to restore."""
import math

from chainer import training

from util.choices import look_up

# name -> function of (t, *, settings with defaults): the share of alpha left when the share t (0 to 1) of the decay is
# over
DECAYS = {
    'linear': lambda t: 1 - t,
    'cosine': lambda t: (1 + math.cos(math.pi * t)) / 2,  # Loshchilov & Hutter, "SGDR", ICLR 2017, without restarts
    'constant': lambda t: 1.0,
}


def decayed(alpha, name, start, end, iteration, **settings):
    """Alpha after ``iteration`` updates: ``alpha`` up to ``start``, then decaying to the schedule's end at ``end``.

    Args:
        alpha (float): The value before the decay.
        name (str): A name of :data:`DECAYS`: ``'linear'`` to 0, ``'cosine'`` (half a period) to 0, or ``'constant'``.
        start (int): First iteration of the decay.
        end (int): Last iteration of the decay.
        iteration (int): Updates done, 0 to ``end``.
        settings: What belongs to the name alone.

    Returns:
        float: Alpha of the next update.

    Raises:
        ValueError: If the name is unknown.
    """
    decay = look_up(DECAYS, name, 'schedule')
    if iteration <= start < end:
        return alpha
    return alpha * decay((iteration - start) / (end - start) if end > start else float(iteration >= end), **settings)


class AlphaSchedule(training.Extension):
    """Sets the optimizer's alpha before each update; the arguments are those of :func:`decayed`."""

    trigger = 1, 'iteration'

    def __init__(self, alpha, name, start, end, **settings):
        self.arguments = alpha, name, start, end
        self.settings = settings

    def initialize(self, trainer):  # after a snapshot has been loaded, before the first update
        self(trainer)

    def __call__(self, trainer):
        trainer.updater.get_optimizer('main').alpha = decayed(*self.arguments, trainer.updater.iteration,
                                                                **self.settings)
