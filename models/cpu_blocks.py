"""Work cut into cache-sized blocks and shared among the CPU's cores, each core with its own scratch memory.

NumPy's element-wise functions use one core and OpenBLAS uses all of them, but only while it multiplies; on blocks that
stay in a core's cache both the transforms and the products of a convolution run on every core at once, if BLAS itself
keeps to one thread. Two BLAS pools (NumPy's and SciPy's) would fight for the cores, so NumPy's is the only one used.
"""
import concurrent.futures
import contextlib
import os
import threading

import numpy
import threadpoolctl


class Scratch:
    """Named buffers that one worker reuses from block to block and from call to call; contents are undefined."""

    def __init__(self):
        self._buffers = {}

    def get(self, name, shape, dtype):
        dtype = numpy.dtype(dtype)
        size = dtype.itemsize
        for length in shape:
            size *= length
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = numpy.empty(size, numpy.uint8)
        return buffer[:size].view(dtype).reshape(shape)


class Workers:
    """A pool of as many threads as BLAS would use; one call of `run` at a time, since each takes all the cores."""

    def __init__(self):
        self._lock = threading.RLock()
        self._pool = None
        self._scratches = []

    def _start(self):
        blas = threadpoolctl.ThreadpoolController().select(user_api='blas')
        # OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and a caller's threadpool_limits keep their meaning this way.
        threads = max([library['num_threads'] for library in blas.info()], default=os.cpu_count())
        # For good, not only while `run` runs: after a single product on its own threads (the dot product of a loss,
        # say) OpenBLAS leaves these spinning for 26 ms, on the cores that the next convolution needs.
        blas.limit(limits=1)
        self._scratches = [Scratch() for _ in range(threads)]
        if threads > 1:
            self._pool = concurrent.futures.ThreadPoolExecutor(threads - 1, 'convolution')

    @contextlib.contextmanager
    def alone(self):
        """Keep other callers out, and BLAS to one thread, around products that precede or follow `run`."""
        with self._lock:
            if not self._scratches:
                self._start()
            yield

    @property
    def count(self):
        with self.alone():
            return len(self._scratches)

    def run(self, task, blocks):
        """Call ``task(block, scratch)`` for every block of a list, in no particular order."""
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

    def sum(self, task, blocks):
        """Sum of ``task(block, scratch)`` over the blocks, which may be an array in `scratch`.

        Each worker sums its own fixed share, in order, so that the same run gives the same bits again.
        """
        with self.alone():
            count = min(len(self._scratches), len(blocks))
            totals = [None] * count

            def add(i, scratch):
                totals[i] = task(blocks[i], scratch).copy()
                for block in blocks[i + count::count]:
                    totals[i] += task(block, scratch)

            self.run(add, range(count))
        return sum(totals[1:], totals[0])


workers = Workers()


def _forget():
    """A forked child has the parent's pool without its threads."""
    workers.__init__()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_forget)
