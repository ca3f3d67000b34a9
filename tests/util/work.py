"""What the processes of test_processes.py do; without the libraries of a test, so that they are quickly there."""
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from util.script import UserError, note


def prepare(argument):
    return partial(work, argument)


def work(folder, item):
    folder = Path(folder)
    if item == 'wait':
        while not (folder / 'go').exists():
            time.sleep(0.01)
    if item == 'go':
        (folder / 'go').touch()
    if item == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 'exit':
        os._exit(3)
    if item == 'mistake':
        raise UserError('a.nii: wrong')
    if item == 'bug':
        raise ValueError('of the code')
    if item == 'sleep':
        (folder / 'asleep').touch()
        time.sleep(60)
    note(f'a note of {item}')
    print(f'a line of {item}', file=sys.stderr)
    return item, os.getpid(), os.environ['OPENBLAS_NUM_THREADS']
