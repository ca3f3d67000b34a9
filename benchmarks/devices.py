"""Where an implementation runs, and how its memory is read there."""
import re


class Host:
    """The CPU and the resident memory of this process, which VmHWM and VmRSS of the kernel tell.

    VmHWM belongs to this process alone. ru_maxrss of getrusage may begin at the size of the process that started it.
    """

    def __init__(self):
        try:
            with open('/proc/self/clear_refs', 'w') as file:
                file.write('5')  # from here on VmHWM counts anew: imports may have needed more for a moment
        except OSError:
            pass
        self._start = self._read('VmRSS')

    @staticmethod
    def _read(key):
        with open('/proc/self/status') as file:
            return int(re.search(rf'{key}:\s*(\d+) kB', file.read()).group(1)) / 1024

    def wait(self):
        """Nothing: NumPy returns when its work is done."""

    def forget(self):
        """Nothing: memory for the choice of algorithms is only taken on a GPU."""

    def memory(self):
        """Peak memory since the imports.

        Returns:
            dict: ``total``, MiB of the whole process, and ``growth``, how much more that is than after the imports.
        """
        peak = self._read('VmHWM')
        return {'growth': peak - self._start, 'total': peak}


class CupyDevice:
    """A GPU and the memory that CuPy's pool has taken from it. CuPy does not count how much of it arrays filled.

    Args:
        gpu (int): GPU number.
    """

    def __init__(self, gpu):
        from util.device import get_device
        get_device(gpu)
        import cupy
        from util.training import recording
        self._cupy, self._recorded = cupy, recording.memory

    def wait(self):
        """Wait until the GPU is through."""
        self._cupy.cuda.Device().synchronize()

    def forget(self):
        """Give back the memory that no array fills."""
        self._cupy.get_default_memory_pool().free_all_blocks()

    def memory(self):
        """Peak memory since `forget`.

        Returns:
            dict: ``total``, MiB that the pool has taken; ``growth`` is None.
        """
        # The pool gives nothing back by itself, so what it has is the most that it needed.
        total = (self._cupy.get_default_memory_pool().total_bytes() + self._recorded()) / 2 ** 20
        return {'growth': None, 'total': total}


class TorchDevice:
    """A GPU and the memory that PyTorch's pool has taken from it.

    Args:
        gpu (int): GPU number.

    Raises:
        RuntimeError: If PyTorch does not find that GPU.
    """

    def __init__(self, gpu):
        import torch
        if not torch.cuda.is_available() or gpu >= torch.cuda.device_count():
            raise RuntimeError(f'PyTorch finds {torch.cuda.device_count()} CUDA GPUs')
        torch.cuda.set_device(gpu)
        self._cuda = torch.cuda

    def wait(self):
        """Wait until the GPU is through."""
        self._cuda.synchronize()

    def forget(self):
        """Give back what cuDNN took while it chose its algorithms, and count the peaks anew."""
        self._cuda.empty_cache()
        self._cuda.reset_peak_memory_stats()

    def memory(self):
        """Peak memory since `forget`.

        Returns:
            dict: ``total``, MiB that the pool had taken, and ``growth``, MiB of them that tensors filled.
        """
        return {'growth': self._cuda.max_memory_allocated() / 2 ** 20,
                'total': self._cuda.max_memory_reserved() / 2 ** 20}


def open_device(package, gpu):
    """The device of an implementation.

    Args:
        package (str): Whose memory a GPU's is: ``'numpy'`` (that is CuPy) or ``'torch'``.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        Host, CupyDevice or TorchDevice: It has ``wait``, ``forget`` and ``memory``.
    """
    if gpu < 0:
        return Host()
    return TorchDevice(gpu) if package == 'torch' else CupyDevice(gpu)
