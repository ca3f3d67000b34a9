"""When a training ends: after its last iteration, when it is told to, or when its loss is no number any more."""
import contextlib
import math
import signal
import sys

from chainer import training

from util.script import UserError


class StopTrigger(training.triggers.IntervalTrigger):
    """Ends the training after the last iteration, or after the present one once Ctrl-C or SIGTERM has come.

    Args:
        iterations (int): The last iteration.
    """

    def __init__(self, iterations):
        super().__init__(iterations, 'iteration')
        self.interrupted = False

    def __call__(self, trainer):
        return self.interrupted or trainer.updater.iteration >= self.period

    @contextlib.contextmanager
    def heeding_signals(self):
        """While the block runs, a first Ctrl-C or SIGTERM ends the training, and a second one the process."""
        former = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _interrupt(self, signum, frame):
        self.interrupted = True
        signal.signal(signum, signal.SIG_DFL)
        print('\nstopping after this iteration and writing a snapshot; once more to stop at once', file=sys.stderr)


def stop_on_non_finite_loss(trainer):
    """Trainer extension that ends the training where the loss is not finite.

    Raises:
        UserError: Saying at which iteration.
    """
    loss = float(trainer.observation['main/loss'].array)
    if not math.isfinite(loss):
        raise UserError(f'the loss is {loss} at iteration {trainer.updater.iteration}; try a smaller adam.alpha, or '
                        'intensity_scaling: percentile. The snapshots written before are still good')
