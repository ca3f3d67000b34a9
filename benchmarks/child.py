"""A process that holds one implementation and times it when asked; ``benchmarks/measure.py`` asks.

    python -m benchmarks.child IMPLEMENTATION GPU

After its imports the process writes ``{}``. Then it reads one JSON object per line from stdin, and answers each with
one on stdout:

===============================  ================================================================================
request                          answer
===============================  ================================================================================
``{"prepare": fields of Case}``  ``seconds`` of a warm step, and ``check``, a number that all implementations must
                                 agree on
``{"calls": n}``                 ``seconds`` per step: the mean of n steps in a row, the device waited for
``{"memory": true}``             ``growth`` and ``total``, in MiB
===============================  ================================================================================

A failure is answered with ``{"error": ...}``.
"""
import importlib
import json
import os
import re
import sys
import time

import numpy

from benchmarks.cases import Case
from benchmarks.implementations import GEMM, PREPARE, PROJECT, STOCK, to_numpy


def _import(name):
    """Import what the implementation needs, so that memory counts from after the imports."""
    if name in (PROJECT, STOCK):
        modules = ['util', 'chainer', 'chainer.links', 'models.espcn3d', 'util.device', 'util.inference.tiling']
    elif name == GEMM:
        modules = []
    else:
        modules = ['torch', 'torch._inductor.compile_fx'] if 'compiled' in name else ['torch']
    for module in modules:
        importlib.import_module(module)


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
        self._cupy = cupy

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
        total = self._cupy.get_default_memory_pool().total_bytes() / 2 ** 20
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


def _device(name, gpu):
    if gpu < 0:
        return Host()
    return CupyDevice(gpu) if name in (PROJECT, STOCK, GEMM) else TorchDevice(gpu)


class Server:
    """One implementation, and the answers to the requests above.

    Args:
        name (str): Key of `benchmarks.implementations.PREPARE`.
        gpu (int): GPU number, or negative for the CPU.
    """

    def __init__(self, name, gpu):
        self._name, self._gpu = name, gpu
        _import(name)
        self._device = _device(name, gpu)
        self._step = None

    def answer(self, request):
        """Do what a request asks.

        Args:
            request (dict): One of the requests above.

        Returns:
            dict: Its answer.
        """
        if 'prepare' in request:
            case = Case(**{**request['prepare'], 'size': tuple(request['prepare']['size'])})
            self._step = None  # two cases at once would need more memory than either
            self._step = PREPARE[self._name](case, self._gpu)
            check = float(numpy.abs(to_numpy(self._step()).flat[::97]).mean())
            self._device.forget()
            return {'seconds': self._time(1), 'check': check}
        if 'calls' in request:
            return {'seconds': self._time(request['calls'])}
        return self._device.memory()

    def _time(self, calls):
        self._device.wait()
        start = time.perf_counter()
        for _ in range(calls):
            self._step()
        self._device.wait()
        return (time.perf_counter() - start) / calls


def _describe(error):
    """One line, without the paths of this machine."""
    if isinstance(error, ImportError):
        return f'not installed ({error.name or error})'
    if 'InvalidCxxCompiler' in str(error):
        return 'does not work here: no C++ compiler'
    line = re.sub(r'(/[\w.+-]+)+/', '', f'{type(error).__name__}: {error}'.splitlines()[0])
    return f'does not work here: {line[:120]}'


def main(name, gpu):
    """Answer requests until stdin ends.

    Args:
        name (str): Key of `benchmarks.implementations.PREPARE`.
        gpu (int): GPU number, or negative for the CPU.
    """
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def answer(function, *arguments):
        try:
            result = function(*arguments)
            print(json.dumps({} if isinstance(result, Server) else result), file=answers, flush=True)
            return result
        except Exception as error:  # the table shows any error in this implementation's row, and the others go on
            print(json.dumps({'error': _describe(error)}), file=answers, flush=True)

    server = answer(Server, name, gpu)
    for line in sys.stdin:
        answer(server.answer, json.loads(line))


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]))
