"""The trainings of a comparison side by side: several processes with a share of the cores each."""
import os
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

from util.comparison import runs
from util.mpiexec import THREADS, own_cores
from util.script import UserError


def check_cores(jobs):
    """Refuse more trainings at a time than there are cores.

    Raises:
        UserError: Saying how many there are.
    """
    cores = len(own_cores())
    if jobs > cores:
        raise UserError(f'--jobs {jobs}: this process has {cores} cores, and each training needs one')


def train_all(all_runs, jobs):
    """Train all runs on the CPU, so many at a time; what is done is passed over.

    Where one fails or a signal comes, none is begun any more. After a failure those that run go on to their end; at a
    signal each writes a snapshot. Their tables are not shown, since they would mix; the log of each is in its folder.

    Args:
        all_runs (list of ~util.comparison.runs.Run): What to train.
        jobs (int): 1 or more.

    Raises:
        UserError: As :func:`util.comparison.runs.train`, of the first that failed.
    """
    running, lock, over = set(), threading.Lock(), threading.Event()
    settings = {} if any(name in os.environ for name in THREADS) else {THREADS[0]: str(len(own_cores()) // jobs)}

    def started(process):
        with lock:
            running.add(process)
            if over.is_set():
                process.terminate()

    with ThreadPoolExecutor(jobs) as pool:
        trainings = [pool.submit(runs.train, run, -1, settings, started) for run in all_runs]
        try:
            for training in as_completed(trainings):
                training.result()
        except UserError:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            with lock:
                over.set()
                for process in running:
                    process.terminate()
            raise
