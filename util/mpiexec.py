"""What mpiexec has started: which rank this process is, what it exchanges gradients by, and how many threads it has."""
import contextlib
import os
import sys

from util.ranks import ALONE, Ranks
from util.script import UserError

# By which launchers tell a process its rank: MPICH and Intel MPI, Open MPI, PMIx (Slurm's, say).
LAUNCHERS = 'PMI_RANK', 'OMPI_COMM_WORLD_RANK', 'PMIX_RANK'
COMMUNICATORS = 'naive', 'flat', 'non_cuda_aware', 'pure_nccl'  # ChainerMN's; the CPU has the first alone
THREADS = 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'  # by which a user sets those of BLAS


@contextlib.contextmanager
def together(gpu, name=None):
    """The ranks, while the block runs.

    Args:
        gpu (int): As ``-g``; negative: CPU.
        name (str): One of :data:`COMMUNICATORS`; None: by the device.

    Yields:
        OneProcess or Ranks: What mpiexec started.

    Raises:
        UserError: If mpi4py or its MPI is missing, or a communicator is named that does not suit the device, or where
            mpiexec has started nothing.
    """
    if _launched() is None:
        if name is not None:
            raise UserError(f'--communicator {name} is for the processes of mpiexec, and this is none '
                            '(docs/scaling.md)')
        yield ALONE
        return
    name = name or ('naive' if gpu < 0 else 'pure_nccl')
    if gpu < 0 and name != 'naive':
        raise UserError(f'--communicator {name} is for GPUs; on the CPU: naive')
    ranks = Ranks(_communicator(name))
    with ranks.failing_together(), _threads_of_a_rank(ranks):
        yield ranks


def hush():
    """Let all ranks but the first say nothing, from the command line on."""
    if (_launched() or 0) > 0:
        sys.stdout = sys.stderr = open(os.devnull, 'w')  # noqa: SIM115  (to the process's end)


def _launched():
    """This rank's number, as the launcher says; None: nothing has launched ranks."""
    return next((int(os.environ[name]) for name in LAUNCHERS if name in os.environ), None)


def _communicator(name):
    try:
        from mpi4py import MPI  # noqa: F401
    except (ImportError, RuntimeError) as error:  # a RuntimeError: there is no MPI library
        raise UserError(f'mpiexec: mpi4py and an MPI are missing ({error}); install them: pip install mpi4py mpich'
                        ) from None
    import chainer  # noqa: F401  (before ChainerMN, which needs what the project supplies to it)
    import chainermn
    try:
        return chainermn.create_communicator(name)
    except RuntimeError as error:
        raise UserError(f'--communicator {name}: {error} (docs/scaling.md says what GPUs need)') from None


def own_cores():
    """The numbers of the cores that this process may use, as a set."""
    return os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else set(range(os.cpu_count()))


@contextlib.contextmanager
def _threads_of_a_rank(ranks):
    """Share a machine's cores among its ranks, unless the user says how many threads each has."""
    import threadpoolctl

    if any(name in os.environ for name in THREADS):
        yield
        return
    # Each rank may have been bound to cores of its own.
    here = [cores for machine, cores in ranks.collect([(ranks.machine, own_cores())]) if machine == ranks.machine]
    with threadpoolctl.threadpool_limits(max(1, len(set().union(*here)) // len(here)), 'blas'):
        yield
