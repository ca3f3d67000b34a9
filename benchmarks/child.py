"""A process that holds one implementation and times it when asked; ``benchmarks/measure.py`` asks.

    python -m benchmarks.child IMPLEMENTATION GPU

After its imports the process writes ``{}``. Then it reads one JSON object per line from stdin, and answers each with
one on stdout:

===============================  ================================================================================
request                          answer
===============================  ================================================================================
``{"prepare": fields of Case}``  ``seconds`` of a warm step, and ``check``, a list of numbers from the result, which
                                 all implementations must agree on
``{"calls": n}``                 ``seconds`` per step: the mean of n steps in a row, the device waited for
``{"memory": true}``             ``growth`` and ``total``, in MiB
===============================  ================================================================================

A failure is answered with ``{"error": ...}``.
"""
import importlib
import json
import os
import sys
import time

import numpy

from benchmarks.cases import Case
from benchmarks.devices import open_device
from benchmarks.failure import describe
from benchmarks.implementations import IMPLEMENTATIONS, to_numpy

CHECKED = 256  # numbers of a result that are compared


class Server:
    """One implementation, and the answers to the requests above.

    Args:
        name (str): Key of `benchmarks.implementations.IMPLEMENTATIONS`.
        gpu (int): GPU number, or negative for the CPU.
    """

    def __init__(self, name, gpu):
        self._implementation, self._gpu = IMPLEMENTATIONS[name], gpu
        for module in self._implementation.modules:
            importlib.import_module(module)
        self._device = open_device(self._implementation.package, gpu)
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
            self._step = self._implementation.prepare(case, self._gpu)
            check = to_numpy(self._step()).ravel()
            # Random places: at regular ones a wrong pixel shuffle could look right.
            check = check[numpy.random.default_rng(0).integers(check.size, size=CHECKED)].tolist()
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


def main(name, gpu):
    """Answer requests until stdin ends.

    Args:
        name (str): Key of `benchmarks.implementations.IMPLEMENTATIONS`.
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
            print(json.dumps({'error': describe(error)}), file=answers, flush=True)

    server = answer(Server, name, gpu)
    for line in sys.stdin:
        answer(server.answer, json.loads(line))


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]))
