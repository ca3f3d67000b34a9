"""Let implementations take turns at the same work, each in a process of its own.

Every implementation does every case of the table in a fresh process. In each round all of them take one turn after
another, and so do the yardsticks, a matrix product and a copy. They go in the listed order, and in the next round
backwards: a machine that slows down then slows them all. Stock Chainer, which is slow, takes part in the first three
rounds only. A turn lasts a quarter of a second or one step, whichever is longer. The median turn counts.
"""
import dataclasses
import json
import math
import statistics
import subprocess
import sys

import numpy

from benchmarks.failure import Failure
from benchmarks.implementations import STOCK, YARDSTICKS
from util.script import PROJECT as FOLDER
from util.script import UserError

TURN = 0.25  # seconds
STOCK_ROUNDS = 3
AGREEMENT = 1e-4  # of the largest value: float32, over three layers


class Child:
    """One implementation in a process of its own, which is `benchmarks.child`.

    Args:
        name (str): Key of `benchmarks.implementations.IMPLEMENTATIONS`.
        gpu (int): GPU number, or negative for the CPU.
    """

    def __init__(self, name, gpu):
        self._process = subprocess.Popen([sys.executable, '-m', 'benchmarks.child', name, str(gpu)], cwd=FOLDER,
                                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        """Send a request and wait for the answer.

        Args:
            **request: A request of `benchmarks.child`.

        Returns:
            dict: Its answer.

        Raises:
            Failure: If the process reports an error or has ended.
        """
        try:
            self._process.stdin.write(json.dumps(request) + '\n')
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; the answer below says how
        return self.answer()

    def answer(self):
        """Wait for an answer; the first one comes after the imports.

        Returns:
            dict: The answer.

        Raises:
            Failure: If the process reports an error or has ended.
        """
        line = self._process.stdout.readline()
        if not line:
            raise Failure(f'ended without an answer (exit code {self._process.wait()})')
        answer = json.loads(line)
        if 'error' in answer:
            raise Failure(answer['error'])
        return answer

    def close(self):
        """Let the process end, and wait for it."""
        self._process.communicate()


def turns(names, repeats):
    """The order in which implementations are timed, as the module's docstring says.

    Args:
        names (list of str): The implementations.
        repeats (int): Number of rounds.

    Yields:
        (int, str): Round, from 0, and name.

    Example:
        >>> from benchmarks.measure import turns
        >>> list(turns(['a', 'b'], 2))
        [(0, 'a'), (0, 'b'), (1, 'b'), (1, 'a')]
    """
    for number in range(repeats):
        for name in names if number % 2 == 0 else names[::-1]:
            if name != STOCK or number < STOCK_ROUNDS:
                yield number, name


@dataclasses.dataclass
class Result:
    """One implementation on one case.

    Args:
        seconds (list of float): Seconds per step, one number per turn.
        memory (dict or None): ``growth`` and ``total``, MiB, as `benchmarks.child` says.
        check (list of float or None): Numbers that all implementations must agree on.
        failure (str or None): Why there is no result.
    """
    seconds: list = dataclasses.field(default_factory=list)
    memory: dict = None
    check: list = None
    failure: str = None

    @property
    def median(self):
        """float: Median of the seconds per step."""
        return statistics.median(self.seconds)


def measure(children, case, repeats, turn=TURN):
    """Let all children do a case in turn.

    Args:
        children (dict): For each name a Child, or the Failure that it began with.
        case (Case): The work.
        repeats (int): Number of rounds.
        turn (float): Seconds that a turn lasts at least.

    Returns:
        dict: A Result per name.

    Raises:
        UserError: If the implementations compute different things.
    """
    results = {name: Result() for name in children}
    calls = {}

    def ask(name, **request):
        """The answer, or an empty one for what has failed, now or before."""
        if results[name].failure:
            return {}
        try:
            return children[name].ask(**request)
        except Failure as failure:
            results[name] = Result(failure=str(failure))
            return {}

    for name, child in children.items():
        if isinstance(child, Failure):
            results[name] = Result(failure=str(child))
        answer = ask(name, prepare=dataclasses.asdict(case))
        results[name].check = answer.get('check')
        calls[name] = max(1, math.ceil(turn / answer.get('seconds', TURN)))
    _agree(case, {name: result.check for name, result in results.items()
                  if name not in YARDSTICKS and not result.failure})
    for _, name in turns(list(children), repeats):
        answer = ask(name, calls=calls[name])
        if answer:
            results[name].seconds.append(answer['seconds'])
    for name in children:
        results[name].memory = ask(name, memory=True)
    return results


def _agree(case, checks):
    """Raise UserError where results differ: their times could not be compared."""
    expected = numpy.median(list(checks.values()), axis=0) if checks else 0
    for name, check in checks.items():
        difference, largest = numpy.abs(check - expected).max(), numpy.abs(expected).max()
        if not difference <= AGREEMENT * largest:
            raise UserError(f'{case.name}: {name} computes something else: it differs by {difference:.3g} of '
                            f'{largest:.3g}; its time would mean nothing, so correct it first')


def measure_in_children(names, all_cases, gpu, repeats, turn=TURN):
    """Time cases in one process per name, in which the cases follow each other.

    Args:
        names (list of str): Keys of `benchmarks.implementations.IMPLEMENTATIONS`.
        all_cases (list of Case): The work.
        gpu (int): GPU number, or negative for the CPU.
        repeats (int): Rounds per case.
        turn (float): Seconds that a turn lasts at least.

    Returns:
        list of dict: For each case a Result per name.
    """
    children = {name: Child(name, gpu) for name in names}
    try:
        started = {}
        for name, child in children.items():  # imports run side by side; nothing is timed before the last is through
            try:
                child.answer()
                started[name] = child
            except Failure as failure:
                started[name] = failure
        return [measure(started, case, repeats, turn) for case in all_cases]
    finally:
        for child in children.values():
            child.close()


def measure_loop(gpu, side, iterations):
    """Time a training iteration with its patches in a process of its own; see benchmarks/loop.py.

    Args:
        gpu (int): GPU number, or negative for the CPU.
        side (int): LR voxels of a patch along each axis.
        iterations (int): Number of timed iterations.

    Returns:
        dict: Seconds of an ``iteration``, and of its part ``outside`` the network, that of its patches.
    """
    command = [sys.executable, '-m', 'benchmarks.loop', str(gpu), str(side), str(iterations)]
    return json.loads(subprocess.run(command, cwd=FOLDER, stdout=subprocess.PIPE, text=True, check=True).stdout)
