"""A training on two ranks that is killed again and again, beside one that is left alone.

    python -m tests.soak --iterations 20000

Takes a few minutes; tests/test_ranks.py has it with fewer iterations.
"""
import argparse
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.experiment import TRAINING_ARGUMENTS, assert_same_weights, make_experiment
from tests.mpi import start
from util.training.resume import find_snapshots

WAIT = 30  # seconds within which all ranks must have ended


def train(folder, out, iterations, *arguments):
    sets = (f'iteration={iterations}', 'iteration_decay_start=100', 'evaluation_interval=50', 'display_interval=10',
            'snapshot_interval=25')
    words = [word for change in sets for word in ('--set', change)]
    return start(folder, 2, 'training.py', *TRAINING_ARGUMENTS, '-o', out, *words, *arguments)


def ranks_of(out):
    """The process numbers of the ranks that write into a folder, in the order in which they were started."""
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            words = path.read_bytes().split(b'\0')
        except OSError:  # it has ended
            continue
        if out.encode() in words and b'python' in words[0]:
            found.append(int(path.parent.name))
    return sorted(found)


def strike(process, out, rng):
    """Kill or interrupt something of a running training; returns what was done."""
    blow = rng.choice(['SIGKILL to rank 0', 'SIGKILL to rank 1', 'SIGTERM', 'SIGINT', 'SIGKILL to mpiexec'])
    if blow.startswith('SIGKILL to rank'):
        ranks = ranks_of(out)
        if len(ranks) == 2:
            os.kill(ranks[int(blow[-1])], signal.SIGKILL)
    else:
        process.send_signal(getattr(signal, blow.split()[0]))
    return blow


def soak(folder, iterations, seed=0, longest=10):
    """Train twice, and see that both end with the same bits.

    Args:
        folder (Path): Where the experiment and its runs go; empty.
        iterations (int): Of each training.
        seed (int): Of the blows and their times.
        longest (float): Seconds that a training has at most until the next blow.

    Returns:
        list of (str, int): The blows, and the iteration of the newest snapshot after each.
    """
    rng = random.Random(seed)
    make_experiment(folder)
    left_alone = train(folder, 'alone', iterations)
    _, stderr = left_alone.communicate()
    assert left_alone.returncode == 0, stderr
    out, blows = f'struck_{os.getpid()}', []
    while True:
        process = train(folder, out, iterations, *['--resume'] * (folder / out / 'config.yml').exists())
        try:
            _, stderr = process.communicate(timeout=rng.uniform(2, longest))
        except subprocess.TimeoutExpired:
            blow = strike(process, out, rng)
            begin = time.monotonic()
            _, stderr = process.communicate(timeout=WAIT)
            while ranks_of(out):
                assert time.monotonic() < begin + WAIT, f'{blow}: ranks live on'
                time.sleep(0.05)
        else:
            blow = 'none'
            assert process.returncode == 0, stderr
        assert 'Traceback' not in stderr and 'passed over' not in stderr and 'error: ' not in stderr, stderr
        newest = [int(path.stem.rsplit('_', 1)[1]) for path in find_snapshots(folder / out)[:1]]
        blows.append((blow, *(newest or [0])))
        if process.returncode == 0:
            break
    for name in (f'gen_iter_{iterations}.npz', 'gen_best.npz'):
        assert_same_weights(folder / 'alone' / name, folder / out / name)
    return blows


def main():
    parser = argparse.ArgumentParser(description='Kill a training on two ranks again and again.')
    parser.add_argument('--iterations', type=int, default=20000)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        blows = soak(Path(folder), args.iterations, args.seed)
    for blow, newest in blows:
        print(f'{blow}: the newest snapshot is of iteration {newest}')
    print(f'{len(blows) - 1} blows in {time.monotonic() - start:.0f} s; the end has the same bits as undisturbed')


if __name__ == '__main__':
    main()
