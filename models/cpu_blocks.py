"""Work cut into blocks that fit a core's cache, and shared among the CPU's cores.

NumPy's element-wise functions use one core. OpenBLAS uses all of them, but only while it multiplies. On blocks that
stay in a core's cache, the transforms and the products of a convolution both run on every core at once, provided that
BLAS itself keeps to one thread. Each core has scratch memory of its own.

Two BLAS pools (NumPy's and SciPy's) would fight for the cores, so only NumPy's is used.
"""
import concurrent.futures
import contextlib
import os
import threading

import numpy
import threadpoolctl

from models import reused_memory


class Scratch:
    """Named buffers that one worker uses again, from block to block and from call to call."""

    def __init__(self):
        self._buffers = {}

    def get(self, name, shape, dtype):
        """Return an array in the buffer of that name.

        The buffer grows where it is too small; it never shrinks. Arrays of one name share their memory, so an array
        is good until the next one of its name is filled.

        Args:
            name (str): Which buffer.
            shape (tuple of int): Shape, any number of axes.
            dtype (numpy.dtype or str): Type of the elements.

        Returns:
            numpy.ndarray: C-contiguous, of this shape and dtype; contents undefined.

        Example:
            >>> from models.cpu_blocks import Scratch
            >>> scratch = Scratch()
            >>> scratch.get('rows', (2, 3), 'float32').shape
            (2, 3)
        """
        dtype = numpy.dtype(dtype)
        size = dtype.itemsize
        for length in shape:
            size *= length
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = numpy.empty(size, numpy.uint8)
        return buffer[:size].view(dtype).reshape(shape)


class Workers:
    """A pool of threads that share blocks of work, as many threads as BLAS would use.

    One call of `run` goes at a time, since each takes all the cores; calls from other threads wait.

    **BLAS keeps to one thread** from the first use of the pool on, between its calls as well, for NumPy and everything
    else in the process. The reason: after a single product on its own threads (the dot product of a loss, say) OpenBLAS
    leaves these spinning for 26 ms, on the cores that the next convolution needs. `stop` ends the pool and gives BLAS
    its threads back.

    A forked child begins without a pool. BLAS is still held to one thread there, so the child's pool has one thread
    until `stop` is called in it.

    Example:
        >>> from models.cpu_blocks import Workers
        >>> workers = Workers()
        >>> squares = {}
        >>> workers.run(lambda block, scratch: squares.update({block: block ** 2}), [1, 2, 3])
        >>> sorted(squares.items())
        [(1, 1), (2, 4), (3, 9)]
        >>> workers.stop()
    """

    def __init__(self):
        self._lock = threading.RLock()
        self._pool = None
        self._scratches = []
        self._blas_limit = None

    def _start(self):
        blas = threadpoolctl.ThreadpoolController().select(user_api='blas')
        # OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and a caller's threadpool_limits keep their meaning this way.
        threads = max([library['num_threads'] for library in blas.info()], default=os.cpu_count())
        # A forked child's BLAS is limited already; what it had before is what the parent found.
        if self._blas_limit is None:
            self._blas_limit = blas.limit(limits=1)
        self._scratches = [Scratch() for _ in range(threads)]
        if threads > 1:
            self._pool = concurrent.futures.ThreadPoolExecutor(threads - 1, 'convolution')

    def stop(self):
        """End the threads, let go of the scratch memory, and give BLAS the threads it had when the pool started.

        Waits for a call of `run` in another thread. The next use of the pool starts it anew, and limits BLAS again.
        Without a pool nothing happens. A task must not call it.
        """
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown()
            if self._blas_limit is not None:
                self._blas_limit.restore_original_limits()
            self._pool, self._scratches, self._blas_limit = None, [], None

    @contextlib.contextmanager
    def alone(self):
        """Keep other callers out, and BLAS to one thread, around products that precede or follow `run`."""
        with self._lock:
            if not self._scratches:
                self._start()
            yield

    @property
    def count(self):
        """int: Number of threads, the caller's own included. Starts the pool."""
        with self.alone():
            return len(self._scratches)

    def run(self, task, blocks):
        """Call ``task(block, scratch)`` once for every block, in no particular order, and wait for all.

        Args:
            task (callable): Takes a block and the `Scratch` of the thread that it runs in. It must not call this pool.
            blocks (sequence): Anything but None, which marks the end.

        Raises:
            Exception: What a task raised, once all threads are through; some blocks may not have been done.
        """
        with self.alone():
            threads = min(len(self._scratches), len(blocks))
            queue = iter(blocks)
            turn = threading.Lock()

            def work(scratch):
                while True:
                    with turn:
                        block = next(queue, None)
                    if block is None:
                        return
                    task(block, scratch)

            futures = [self._pool.submit(work, scratch) for scratch in self._scratches[1:threads]]
            try:
                work(self._scratches[0])
            finally:
                concurrent.futures.wait(futures)
            for future in futures:
                future.result()

    def sum(self, task, blocks, shape, dtype):
        """Sum over the blocks of what ``task(block, scratch, total)`` adds to an array.

        There is one share of the blocks per thread, and a total that begins with zeros. Shares are fixed, and each is
        summed in order. So the same call on as many threads gives the same bits again.

        Args:
            task (callable): Takes a block, a `Scratch` and the array that it adds to.
            blocks (sequence): At least one block.
            shape (tuple of int): Shape of the sum.
            dtype (numpy.dtype or str): Type of its elements.

        Returns:
            numpy.ndarray: The sum, in memory of its own.

        Raises:
            Exception: What a task raised.

        Example:
            >>> import numpy
            >>> from models.cpu_blocks import Workers
            >>> workers = Workers()
            >>> def task(block, scratch, total):
            ...     total += block
            >>> workers.sum(task, [1, 2, 3, 4], (3,), 'int64').tolist()
            [10, 10, 10]
            >>> workers.stop()
        """
        with self.alone():
            count = min(len(self._scratches), len(blocks))
            totals = [None] * count

            def add(i, scratch):
                totals[i] = reused_memory.empty(shape, dtype)
                totals[i][...] = 0
                for block in blocks[i::count]:
                    task(block, scratch, totals[i])

            self.run(add, range(count))
        for total in totals[1:]:
            totals[0] += total
        return totals[0]


workers = Workers()


def _forget():
    """A forked child has the parent's pool without its threads, but BLAS under the parent's limit."""
    limit = workers._blas_limit
    workers.__init__()
    workers._blas_limit = limit


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_forget)
