"""The processes that mpiexec started for one training or one inference, its ranks, and what they do as one.

Each rank runs the whole script. Rank 0 alone writes and prints, so the code asks `is_first` where that matters; all
the rest calls the same methods of :class:`OneProcess`, which does alone what :class:`Ranks` does together, by ChainerMN
over MPI.

**An error ends all ranks, with one message.** A rank that fails says so at the ranks' next meeting, and each exchange
of all begins with one; who waits for a single rank is called to it. The first of those that failed tells its error; the
others leave with its exit code. Where they cannot be met within :data:`PATIENCE`, they are aborted.
"""
import array
import atexit
import contextlib
import platform
import sys
import time

from util.script import UserError

PATIENCE = 10  # seconds that a rank that failed waits for the others
PAUSE = 0.001  # seconds between two looks whether something has come, where the core may be of use to another rank
DRAINING = 2  # seconds that the launcher has to pass on what a rank has said, before an abort ends the launcher as well
_VALUE, _FAILURE = range(2)  # what a message to a single rank is


class OneProcess:
    """A process by itself: the ranks' methods, where there is nobody to share with."""

    size = 1
    is_first = True
    launcher = ''  # what a command line of the same ranks begins with

    def gpu(self, number):
        """The number of the GPU that this rank takes: from ``number`` on, each of a machine's ranks its own."""
        return number

    def agreed(self, code):
        """The largest exit code that a rank has been asked to end with; None: nobody has."""
        return code

    def share(self, batchsize):
        """The slice of each batch that is this rank's; shares differ by one example at most.

        Raises:
            UserError: If there are more ranks than examples.
        """
        return slice(0, batchsize)

    def part(self, loss, share):
        """What a rank has to differentiate so that the ranks' mean gradient is that of the whole batch's mean loss.

        Args:
            loss (~chainer.Variable): Scalar, the mean of the rank's own examples.
            share (float): How much of the batch they are, 0 to 1.

        Returns:
            ~chainer.Variable: Scalar.
        """
        return loss

    def join(self, optimizer):
        """Have an optimizer step by the ranks' mean gradient, and the loss of its target be the whole batch's."""

    def deal(self, items):
        """This rank's own of a list of items: every N-th."""
        return items

    def collect(self, results):
        """The results of all items, in their order, of what :meth:`deal` gave each rank.

        Args:
            results (list): Those of this rank's own items, any objects that pickle takes.

        Returns:
            list: The same on every rank.
        """
        return results

    def of_first(self, value):
        """Rank 0's value, any object that pickle takes, on every rank."""
        return value


ALONE = OneProcess()


class FailedElsewhere(SystemExit):
    """Another rank has failed and tells it."""


class Ranks(OneProcess):
    """The processes of one mpiexec.

    What it has in common with :class:`OneProcess` is described there. Of these methods ``agreed``, ``collect`` and
    ``of_first`` are exchanges of all ranks, and so is each step of an optimizer that ``join`` was given: all call them,
    in the same order.

    Args:
        communicator (~chainermn.CommunicatorBase): What exchanges gradients.

    Attributes:
        number (int): Of this rank, from 0.
        size (int): How many there are.
        is_first (bool): Whether this one writes and prints.
        launcher (str): ``'mpiexec -n SIZE '``, what a command line of the same ranks begins with.
        machine (int): Number of the machine that it is on, from 0.

    Raises:
        FailedElsewhere: By its exchanges and by :meth:`receive`, if another rank has failed, which tells it.
    """

    def __init__(self, communicator):
        from mpi4py.util import pkl5

        self._communicator = communicator
        # Meetings have a channel of their own: a rank that fails must not be taken for one that sends gradients.
        self._world = communicator.mpi_comm.Dup()
        self._pairs = pkl5.Intracomm(self._world)  # arrays go as they are, whatever their size
        self.number, self.size = self._world.rank, self._world.size
        self.is_first = self.number == 0
        self.launcher = f'mpiexec -n {self.size} '
        self.machine = communicator.inter_rank
        self._met = array.array('q', [0] * 3)  # what the last meeting told

    def gpu(self, number):
        return number + self._communicator.intra_rank if number >= 0 else number

    def agreed(self, code):
        return self._meet(code or 0) or None

    def share(self, batchsize):
        if self.size > batchsize:
            raise UserError(f'batchsize: {batchsize} is fewer examples than the {self.size} processes of mpiexec, and '
                            'each needs one; start fewer')
        return slice(self.number * batchsize // self.size, (self.number + 1) * batchsize // self.size)

    def part(self, loss, share):
        part = loss * (share * self.size)
        self._loss = part.array  # the variable would keep all that it was computed of until the next step
        return part

    def join(self, optimizer):
        optimizer.add_hook(self._average, name='average over ranks')

    def deal(self, items):
        return items[self.number::self.size]

    def collect(self, results):
        self._meet()
        dealt = self._world.allgather(results)
        return [dealt[i % self.size][i // self.size] for i in range(sum(map(len, dealt)))]

    def of_first(self, value):
        self._meet()
        return self._world.bcast(value)

    def send(self, value, rank):
        """Send a value, any object that pickle takes, to a single rank, and wait until that one receives it."""
        self._pairs.send(value, rank, _VALUE)

    def receive(self, rank):
        """Wait for what a single rank sends."""
        while not self._world.Iprobe(rank, _VALUE):
            if self._world.Iprobe(tag=_FAILURE):
                self._meet()
            time.sleep(PAUSE)
        return self._pairs.recv(source=rank, tag=_VALUE)

    def _average(self, optimizer):
        """Optimizer hook: the mean gradient and the mean loss, in one message where the communicator packs them.

        ChainerMN's own optimizer would give its first call to copying the weights, and not update.
        """
        import chainer

        self._meet()
        net = optimizer.target
        loss = chainer.Parameter(self._loss.reshape(1))
        loss.grad = loss.array.copy()
        self._communicator.multi_node_mean_grad(_Message(net, loss))
        chainer.report({'loss': loss.grad.reshape(())}, net)

    def _meet(self, code=0, failure=None, patience=None):
        """Wait for all ranks, and tell them the exit code that this one was asked to end with; returns the largest.

        Args:
            failure (int): The exit code of this rank, which has failed; None: it has not.
            patience (float): Seconds to wait at most; None: as long as it takes.

        Raises:
            FailedElsewhere: If a rank has failed that is to tell it, and it is another one.
            TimeoutError: If not all have come in time.
        """
        from mpi4py import MPI

        # the first rank to have failed is that of the largest distance from the end
        mine = array.array('q', [code, 0 if failure is None else self.size - self.number, failure or 0])
        self._met = array.array('q', [0] * 3)
        request = self._world.Iallreduce(mine, self._met, MPI.MAX)
        if patience is None:
            request.Wait()
        else:
            end = time.monotonic() + patience
            while not request.Test():
                if time.monotonic() > end:
                    raise TimeoutError
                time.sleep(PAUSE)
        code, distance, failure = self._met
        if distance and self.size - distance != self.number:
            raise FailedElsewhere(failure)
        return code

    @contextlib.contextmanager
    def failing_together(self):
        """Let an error that leaves the block end all ranks, and one of them tell it.

        Raises:
            FailedElsewhere: If it is another rank that tells its error.
            BaseException: The block's own error, if it is this one; a UserError then names the rank, unless it is the
                first.
        """
        try:
            yield
            self._meet()  # others may fail yet
        except FailedElsewhere:
            raise
        except BaseException as error:
            if self._met[1]:  # Ctrl-C waits for a meeting's end, where another rank has told of it by then
                raise FailedElsewhere(self._met[2]) from None
            code = _exit_code(error)
            for rank in range(self.size):
                self._world.Isend(b'', rank, _FAILURE)
            try:
                self._meet(failure=code, patience=PATIENCE)
            except TimeoutError:
                atexit.register(self._abort, code)  # once the error has been told
            sys.stderr = sys.__stderr__  # where `util.mpiexec.hush` has closed its mouth
            if isinstance(error, UserError) and not self.is_first:
                raise UserError(f'rank {self.number} on {platform.node()}: {error}') from None
            raise

    def _abort(self, code):
        """End all ranks with an exit code, whatever they are doing."""
        time.sleep(DRAINING)
        self._communicator.mpi_comm.Abort(code)


class _Message:
    """What ChainerMN takes for a network: a network's parameters, and the loss as one more."""

    def __init__(self, net, loss):
        self._net, self._loss = net, loss

    def namedparams(self):
        yield from self._net.namedparams()
        yield '/', self._loss


def _exit_code(error):
    """What a script ends with that this leaves."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 2 if isinstance(error, (UserError, OSError, MemoryError, ModuleNotFoundError)) else 1
