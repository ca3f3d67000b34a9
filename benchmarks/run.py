"""Time this project, PyTorch and stock Chainer on the same work, side by side in one run: ``make bench``.

    python -m benchmarks.run -g -1 --out results/benchmark

Every implementation does every case in a fresh process of its own. In each round all of them, and a matrix product as
the yardstick, take one turn after another, in the listed order and in the next round backwards, so that a machine
that slows down slows them all. Stock Chainer, which is slow, takes part in the first three rounds only. A turn lasts
a quarter of a second or one step, whichever is longer; the median turn counts. Writes benchmark.md and growth.png
into the folder.
"""
import argparse
import dataclasses
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import cases, report
from benchmarks.implementations import EAGER, GEMM, PREPARE, PROJECT, STOCK
from util.device import get_device
from util.script import PROJECT as FOLDER
from util.script import UserError, run

TURN = 0.25  # seconds
STOCK_ROUNDS = 3


class Failure(Exception):
    """Why an implementation gives no result, in words for the table."""


class Child:
    """One implementation in a process of its own."""

    def __init__(self, name, gpu):
        self._process = subprocess.Popen([sys.executable, '-m', 'benchmarks.child', name, str(gpu)], cwd=FOLDER,
                                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        try:
            self._process.stdin.write(json.dumps(request) + '\n')
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; the answer below says how
        return self.answer()

    def answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise Failure(f'ended without an answer (exit code {self._process.wait()})')
        answer = json.loads(line)
        if 'error' in answer:
            raise Failure(answer['error'])
        return answer

    def close(self):
        self._process.communicate()


def turns(names, repeats):
    """The order in which implementations are timed: (round, name), as the module's docstring says."""
    for number in range(repeats):
        for name in names if number % 2 == 0 else names[::-1]:
            if name != STOCK or number < STOCK_ROUNDS:
                yield number, name


@dataclasses.dataclass
class Result:
    """One implementation on one case: seconds of each turn and MiB, or why there are none."""
    seconds: list = dataclasses.field(default_factory=list)
    memory: dict = None
    check: float = None
    failure: str = None

    @property
    def median(self):
        return statistics.median(self.seconds)


def measure(children, case, repeats, turn=TURN):
    """Let all children do a case in turn.

    Args:
        children (dict): A Child for each name, or the Failure that it began with.
        case (Case): The work.
        repeats (int): Rounds.
        turn (float): Seconds that a turn lasts at least.

    Returns:
        dict: A Result for each name.
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
    _agree(case, {name: result.check for name, result in results.items() if name != GEMM and not result.failure})
    for _, name in turns(list(children), repeats):
        answer = ask(name, calls=calls[name])
        if answer:
            results[name].seconds.append(answer['seconds'])
    for name in children:
        results[name].memory = ask(name, memory=True)
    return results


def _agree(case, checks):
    """Times of different results would compare nothing."""
    expected = statistics.median(checks.values()) if checks else 0
    for name, check in checks.items():
        if not math.isclose(check, expected, rel_tol=1e-3):
            raise UserError(f'{case.name}: {name} computes something else: mean absolute value {check:.6g} against '
                            f'{expected:.6g}; its time would mean nothing, so correct it first')


def measure_in_children(names, all_cases, gpu, repeats, turn=TURN):
    """A Result for each name and case; one process a name, in which the cases follow each other."""
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
    """Share of a training iteration outside forward, backward and update; see benchmarks/loop.py."""
    command = [sys.executable, '-m', 'benchmarks.loop', str(gpu), str(side), str(iterations)]
    return json.loads(subprocess.run(command, cwd=FOLDER, stdout=subprocess.PIPE, text=True, check=True).stdout)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description='Time this project, PyTorch and stock Chainer on the same work.')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-o', '--out', type=Path, default=FOLDER / 'results/benchmark',
                        help='folder of the table and the plot (default: results/benchmark)')
    parser.add_argument('--repeats', type=int, default=7, help='rounds of a case (default: 7)')
    parser.add_argument('--quick', action='store_true', help='tiny cases, to see that the benchmark works')
    return parser.parse_args(arguments)


def measure_all(args, table, volumes, batches):
    """The numbers of a whole run.

    Returns:
        (list, dict, list): (case, results) of the table; what benchmarks/loop.py says; (case, results) of the growing
        volumes and of the growing batches.
    """
    turn = 0 if args.quick else TURN
    measured = []
    for case in table:
        print(f'{case.name} ...', file=sys.stderr, flush=True)
        results, = measure_in_children(PREPARE, [case], args.gpu, args.repeats, turn)
        measured.append((case, results))
        print(''.join(f'  {name}: ' + (f'{1e3 * result.median:.1f} ms\n' if result.seconds else f'{result.failure}\n')
                      for name, result in results.items()), end='', file=sys.stderr, flush=True)
    print('an iteration with its patches ...', file=sys.stderr, flush=True)
    loop = measure_loop(args.gpu, *((4, 3) if args.quick else (16, 40)))
    print('growth with volume and batch ...', file=sys.stderr, flush=True)
    # The plot shows the memory of each volume, so each has processes of its own; of the batches it shows times alone.
    names, repeats = [PROJECT, *EAGER], min(args.repeats, 3)
    of_volumes = [measure_in_children(names, [volume], args.gpu, repeats, turn)[0] for volume in volumes]
    of_batches = measure_in_children(names, batches, args.gpu, repeats, turn)
    return measured, loop, [list(zip(volumes, of_volumes)), list(zip(batches, of_batches))]


def main(arguments=None):
    args = parse_arguments(arguments)
    if args.repeats < 1:
        raise UserError(f'--repeats {args.repeats}: at least one round is needed')
    if not sys.platform.startswith('linux'):
        raise UserError(f'the benchmark reads memory and processor from /proc, which {sys.platform} has not; run it on '
                        'Linux')
    get_device(args.gpu)  # a GPU that is not there is told here, before anything is run
    table = cases.QUICK_CASES if args.quick else cases.CASES
    volumes = cases.QUICK_VOLUMES if args.quick else cases.GROWING_VOLUMES
    batches = cases.QUICK_BATCHES if args.quick else cases.GROWING_BATCHES

    load = os.getloadavg()[0]
    # PyTorch's compiler keeps what it makes; each run starts anew, and leaves nothing behind.
    with tempfile.TemporaryDirectory() as cache:
        os.environ['TORCHINDUCTOR_CACHE_DIR'] = cache
        measured, loop, growth = measure_all(args, table, volumes, batches)
    text = report.markdown(measured, loop, args.gpu, args.repeats, load)
    print(text)
    report.save(args.out, text, growth, args.gpu)


if __name__ == '__main__':
    run(main)
