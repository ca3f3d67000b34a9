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


class Table:
    """A stream for Chainer's PrintReport, which flushes after each line of its table.

    Chainer's code that clears the rest of a terminal is left out: standard output may be a file or a pipe.

    Args:
        watched (bool): Whether the lines go past the moving one.
    """

    def __init__(self, watched):
        self._watched, self._text = watched, ''

    def write(self, text):
        self._text += text

    def flush(self):
        text, self._text = self._text.replace('\033[J', ''), ''
        if self._watched:
            from tqdm import tqdm

            tqdm.write(text, file=sys.stdout, end='')
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
