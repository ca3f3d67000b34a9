"""Scripts under mpiexec, for the tests marked mpi."""
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy

from util.script import PROJECT

# A script of which a rank comes to harm: DRIVER's arguments are its path, the rank (-1: all), the iteration, the harm.
DRIVER = f'''
import os, runpy, sys, time
sys.path.insert(0, {str(PROJECT)!r})
import util, util.ranks
script, rank, iteration, harm = sys.argv[1:5]
part, done = util.ranks.Ranks.part, []

def harmed(self, loss, share):
    done.append(self.number)
    if int(rank) in (self.number, -1) and len(done) == int(iteration):
        loss = eval(harm)
    return part(self, loss, share)

def fail(error):
    raise error

util.ranks.Ranks.part = harmed
sys.argv = [script, *sys.argv[5:]]
runpy.run_path(script, run_name='__main__')
'''


def why_not():
    """Why scripts cannot be run under mpiexec here; None: they can."""
    if importlib.util.find_spec('mpi4py') is None:
        return 'mpi4py is not installed (pip install mpi4py mpich)'
    return None if _mpiexec() else 'there is no mpiexec (pip install mpich)'


def _mpiexec():
    """That of the interpreter's environment, which is the one that mpi4py belongs to, before another one."""
    own = Path(sys.executable).with_name('mpiexec')
    return str(own) if own.exists() else shutil.which('mpiexec')


def launcher(ranks):
    """What a command line on so many ranks begins with."""
    return [_mpiexec(), '-n', str(ranks)]


def start(folder, ranks, script, *arguments):
    """A script of the project on so many ranks, with ``folder`` as the current directory; does not wait for its end."""
    words = [*launcher(ranks), sys.executable, PROJECT / script, *arguments]
    return subprocess.Popen([str(word) for word in words], cwd=folder, text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def start_harmed(folder, ranks, rank, iteration, harm, script, *arguments):
    """As :func:`start`; in an iteration, from 1 on, ``harm`` is evaluated on a rank, and is its loss."""
    (folder / 'driver.py').write_text(DRIVER)
    return start(folder, ranks, folder / 'driver.py', PROJECT / script, rank, iteration, harm, *arguments)


def assert_close_runs(one, other, iteration):
    """Two trainings have the same gradients, and weights, to float32's precision.

    Adam makes a whole step of a gradient that is rounding alone, as that of a feature map without a value above 0 is by
    Winograd's filtering. So a few weights may be some steps apart; one process on another number of threads ends as
    far from itself.
    """
    one, other = (numpy.load(folder / f'snapshot_iter_{iteration}.npz') for folder in (one, other))
    assert set(one.files) == set(other.files)
    for name in one.files:
        if name.startswith('updater/') and one[name].ndim:
            error = abs(one[name] - other[name]) / abs(one[name]).max()
            assert name.endswith(('/m', '/v')) or (error < 1e-4).mean() > 0.9, name
            assert not name.endswith(('/m', '/v')) or error.max() < 1e-4, name
