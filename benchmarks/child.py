"""A process that holds one implementation and times it when asked; ``benchmarks/run.py`` asks.

    python -m benchmarks.child IMPLEMENTATION GPU

After its imports it says ``{}``. Then each line on stdin is a JSON object and is answered by one on stdout:
``{"prepare": a Case's fields}`` with the seconds of a warm step and a number that all implementations must agree on,
``{"calls": n}`` with the seconds of one step, averaged over n in a row and the device waited for, ``{"memory": true}``
with MiB. A failure is ``{"error": ...}``.
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
    """Import what the implementation needs, so that what its work adds to the process can be told from that."""
    if name in (PROJECT, STOCK):
        modules = ['util', 'chainer', 'chainer.links', 'models.espcn3d', 'util.device', 'util.reconstruction']
    elif name == GEMM:
        modules = []
    else:
        modules = ['torch', 'torch._inductor.compile_fx'] if 'compiled' in name else ['torch']
    for module in modules:
        importlib.import_module(module)


class Host:
    """Resident memory of this process.

    The kernel's VmHWM belongs to the process alone; getrusage's ru_maxrss may start at the size of the process that
    started this one.
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
        pass

    def forget(self):
        pass

    def memory(self):
        peak = self._read('VmHWM')
        return {'growth': peak - self._start, 'total': peak}


class CupyDevice:
    """GPU memory that CuPy's pool has taken; what of it arrays filled it does not count."""

    def __init__(self, gpu):
        from util.device import get_device
        get_device(gpu)
        import cupy
        self._cupy = cupy

    def wait(self):
        self._cupy.cuda.Device().synchronize()

    def forget(self):
        self._cupy.get_default_memory_pool().free_all_blocks()

    def memory(self):
        # The pool gives nothing back by itself, so what it has is the most that it needed.
        total = self._cupy.get_default_memory_pool().total_bytes() / 2 ** 20
        return {'growth': None, 'total': total}


class TorchDevice:
    """GPU memory that PyTorch's pool has taken ('total') and what of it tensors filled ('growth')."""

    def __init__(self, gpu):
        import torch
        if not torch.cuda.is_available() or gpu >= torch.cuda.device_count():
            raise RuntimeError(f'PyTorch finds {torch.cuda.device_count()} CUDA GPUs')
        torch.cuda.set_device(gpu)
        self._cuda = torch.cuda

    def wait(self):
        self._cuda.synchronize()

    def forget(self):
        self._cuda.empty_cache()  # what cuDNN tried out while it chose its algorithms
        self._cuda.reset_peak_memory_stats()

    def memory(self):
        return {'growth': self._cuda.max_memory_allocated() / 2 ** 20,
                'total': self._cuda.max_memory_reserved() / 2 ** 20}


def _device(name, gpu):
    if gpu < 0:
        return Host()
    return CupyDevice(gpu) if name in (PROJECT, STOCK, GEMM) else TorchDevice(gpu)


class Server:
    def __init__(self, name, gpu):
        self._name, self._gpu = name, gpu
        _import(name)
        self._device = _device(name, gpu)
        self._step = None

    def answer(self, request):
        if 'prepare' in request:
            case = Case(**{**request['prepare'], 'size': tuple(request['prepare']['size'])})
            self._step = None  # let go of the case before
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
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def answer(function, *arguments):
        try:
            result = function(*arguments)
            print(json.dumps({} if isinstance(result, Server) else result), file=answers, flush=True)
            return result
        except Exception as error:  # whatever it is, the table shows it in this implementation's row
            print(json.dumps({'error': _describe(error)}), file=answers, flush=True)

    server = answer(Server, name, gpu)
    for line in sys.stdin:
        answer(server.answer, json.loads(line))


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]))
