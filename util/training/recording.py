"""A training's forward and backward pass on an NVIDIA GPU as one CUDA graph."""
import contextlib
import math
import weakref

from chainer.backends.cuda import cupy


_OUT_OF_MEMORY = 2  # cudaErrorMemoryAllocation
_recordings = weakref.WeakSet()


def memory():
    """Bytes on the GPU that all recordings hold; CuPy's default pool does not count them."""
    return sum(recording.pool.total_bytes() for recording in _recordings)


def _take(size):
    """Memory of the driver, as CuPy takes it; a MemoryError if there is none.

    At CuPy's own error a pool gives back what is free of it, and tries again; a graph that is being recorded writes
    there.
    """
    try:
        return cupy.cuda.MemoryPointer(cupy.cuda.Memory(size), 0)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        if error.status != _OUT_OF_MEMORY:
            raise
        raise MemoryError(f'no {size} bytes are left on the GPU') from None


class Recording:
    """The kernels that a function starts, to be started again all at once, with other numbers in its arguments.

    To start a kernel from Python takes longer than most of them take. What the function does on the host is done when
    it is recorded, and never again: so it has to start the same kernels whatever the numbers are.

    Args:
        function: Of arrays, on the GPU. It returns a scalar array. Arrays that it keeps elsewhere, such as gradients,
            are the same ones each time, with other contents. It is called twice.
        arguments (list of cupy.ndarray): Of the shapes and dtypes that are to come.

    Attributes:
        arguments (list of cupy.ndarray): What the function works on.
        pool (cupy.cuda.MemoryPool): Where its arrays are.

    Raises:
        ValueError: If it gives something else when it is done again.
        MemoryError: If the GPU has too little.
        NotImplementedError: If the function does what cannot be recorded, such as a product by cuBLAS.
        cupy.cuda.runtime.CUDARuntimeError: Likewise, such as waiting for the GPU.
    """

    def __init__(self, function, arguments):
        self.arguments = [array.copy(order='C') for array in arguments]
        # Memory of its own: the graph writes where it wrote, so nobody else may ever give that back to the driver.
        self.pool = cupy.cuda.MemoryPool(_take)
        _recordings.add(self)
        stream = cupy.cuda.Stream(non_blocking=True)
        cupy.cuda.get_current_stream().synchronize()
        with cupy.cuda.using_allocator(self.pool.malloc), stream:
            first = float(function(*self.arguments))  # compiles kernels, and sends once what stays on the GPU
            stream.begin_capture()
            try:
                self._result = function(*self.arguments)
            except BaseException:
                with contextlib.suppress(Exception):
                    stream.end_capture()  # which may have an error of its own to tell
                raise
            self._graph = stream.end_capture()
        again = float(self())
        if not math.isclose(first, again, rel_tol=1e-4) and math.isfinite(first):
            raise ValueError(f'a recorded step gave {again}, where the same step gave {first} before: the network is '
                             'not static; leave is_static out of its class')

    def __call__(self):
        """Do it again, with what ``arguments`` hold now.

        Returns:
            cupy.ndarray: A copy of what the function returned.
        """
        self._graph.launch()
        return self._result.copy()
