"""The line that moves while a network trains, on a terminal."""
import sys

from chainer import training


def is_watched():
    """Whether standard error is a terminal, where the line is drawn."""
    return sys.stderr is not None and sys.stderr.isatty()


class ProgressLine(training.Extension):
    """Iterations done, how many a second, and the time that is left, in one line.

    It begins where a snapshot left off, and is gone when the training ends, however that ends.

    Args:
        iterations (int): The last iteration.
    """

    name = 'progress'
    priority = training.PRIORITY_WRITER + 1  # before the validation, and the table, below which it is drawn anew

    def __init__(self, iterations):
        self.iterations = iterations
        self.bar = None

    def initialize(self, trainer):
        from tqdm import tqdm  # here, since it takes a while

        # The mean speed of this session, not that of now: so validations and snapshots count in the time that is left.
        self.bar = tqdm(desc='training', total=self.iterations, initial=trainer.updater.iteration, smoothing=0,
                        mininterval=0.5, dynamic_ncols=True, leave=False)

    def __call__(self, trainer):
        self.bar.update(trainer.updater.iteration - self.bar.n)

    def finalize(self):
        if self.bar is not None:
            self.bar.close()


class PastTheLine:
    """A stream for Chainer's PrintReport, which flushes after each line of its table: they go past the moving one."""

    def __init__(self):
        self._text = ''

    def write(self, text):
        self._text += text

    def flush(self):
        from tqdm import tqdm

        text, self._text = self._text, ''
        tqdm.write(text, file=sys.stdout, end='')
        sys.stdout.flush()
