"""When a training ends: after its last iteration, after a signal, or when its loss is not finite."""
import contextlib
import math
import os
import signal
import sys

from chainer import training

from util.ranks import ALONE
from util.script import UserError


# signal -> exit code, as shells have it: 128 and the signal's number; Windows knows no SIGHUP
EXIT_CODES = {getattr(signal, name): code for name, code in (('SIGINT', 130), ('SIGTERM', 143), ('SIGHUP', 129))
              if hasattr(signal, name)}


class Stop:
    """What a signal asked for.

    While nothing trains, a signal ends the process at once, for there is nothing to keep. While a training runs, the
    first one is remembered, and a second one ends the process.
    """

    def __init__(self):
        self.exit_code = None  # of the signal that has come
        self.training = False

    @contextlib.contextmanager
    def heeding_signals(self):
        """Heed Ctrl-C, SIGTERM and SIGHUP while the block runs; those that the process ignores stay ignored."""
        former = {number: signal.getsignal(number) for number in EXIT_CODES}
        former = {number: handler for number, handler in former.items() if handler != signal.SIG_IGN}
        for number in former:
            signal.signal(number, self._signalled)
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _signalled(self, number, frame):
        if not self.training:
            print('\ninterrupted before the training began', file=sys.stderr)
            sys.exit(EXIT_CODES[number])
        self.exit_code = EXIT_CODES[number]
        signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(OSError, AttributeError):  # a terminal that is gone, a stream that is closed
            # Past Python's own stream: a progress line may be half written into it, and it takes nothing meanwhile. On
            # a terminal that line goes, and the ^C in it.
            start = '\r\033[K' if sys.stderr.isatty() else '\n'
            os.write(sys.stderr.fileno(), f'{start}stopping after this iteration and writing a snapshot; once more to '
                                          'stop at once\n'.encode())


class StopTrigger(training.triggers.IntervalTrigger):
    """Ends the training after the last iteration, or after the present one once a signal has come.

    Args:
        iterations (int): The last iteration.
        stop (Stop): What a signal asked for; None: nothing ever does.
        ranks (~util.ranks.OneProcess): The processes that end together, each after the same iteration.
    """

    def __init__(self, iterations, stop=None, ranks=ALONE):
        super().__init__(iterations, 'iteration')
        self.stop = stop or Stop()
        self.ranks = ranks

    def __call__(self, trainer):
        code = self.ranks.agreed(self.stop.exit_code)
        if code is not None:
            self.stop.exit_code = code
        return code is not None or trainer.updater.iteration >= self.period


def stop_on_non_finite_loss(trainer):
    """Trainer extension that ends the training where the loss is not finite.

    Raises:
        UserError: Saying at which iteration.
    """
    loss = float(trainer.observation['main/loss'])
    if not math.isfinite(loss):
        raise UserError(f'the loss is {loss} at iteration {trainer.updater.iteration}; try a smaller adam.alpha, or '
                        'intensity_scaling: percentile. The snapshots written before are still good')
