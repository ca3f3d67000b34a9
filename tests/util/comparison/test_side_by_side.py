import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.experiment import command, make_experiment
from util.comparison import runs, side_by_side
from util.comparison.side_by_side import check_cores, train_all
from util.script import UserError


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(side_by_side, 'own_cores', lambda: set(range(4)))
    for name in side_by_side.THREADS:
        monkeypatch.delenv(name, raising=False)


def test_more_than_there_are_cores_is_refused(four_cores):
    check_cores(4)
    with pytest.raises(UserError, match='--jobs 5: this process has 4 cores'):
        check_cores(5)


@pytest.mark.parametrize('own, expected', [({}, {'OMP_NUM_THREADS': '2'}), ({'OPENBLAS_NUM_THREADS': '3'}, {})])
def test_as_many_go_at_a_time_as_asked_for_with_a_share_of_the_cores_each(four_cores, monkeypatch, own, expected):
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    two, lock, now, most, done = threading.Barrier(2, timeout=10), threading.Lock(), [], [], []

    def train(run, gpu, settings, started):
        with lock:
            now.append(run)
            most.append(len(now))
        two.wait()  # goes on only where another one runs as well
        with lock:
            now.remove(run)
        done.append((run, gpu, settings))

    monkeypatch.setattr(runs, 'train', train)
    train_all(range(6), 2)
    assert max(most) == 2 and sorted(done, key=lambda each: each[0]) == [(n, -1, expected) for n in range(6)]


def test_after_a_failure_those_that_run_end_and_none_is_begun(four_cores, monkeypatch):
    begun, ended, failed = [], [], threading.Event()

    def train(run, gpu, settings, started):
        begun.append(run)
        if run == 0:
            failed.set()
            raise UserError('harm')
        failed.wait(10)
        time.sleep(0.2)
        ended.append(run)

    monkeypatch.setattr(runs, 'train', train)
    with pytest.raises(UserError, match='harm'):
        train_all(range(50), 2)
    assert set(ended) == set(begun) - {0} and len(begun) < 6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == 'win32', reason='Windows cannot send signals to one process')
def test_a_signal_leaves_a_snapshot_of_each_training(tmp_path):
    if len(side_by_side.own_cores()) < 2:
        pytest.skip('there is one core')
    make_experiment(tmp_path)
    (tmp_path / 'HR').rename(tmp_path / 'interim')
    words = command('util/miscs/compare.py', 'experiment.yml', '--seeds', 1, 2, '--jobs', 2, '--val', '0001', '--test',
                    '0002', '-i', 'interim', '-o', 'out')
    process = subprocess.Popen([*words, '--set', 'snapshot_interval=100000', '--iterations', '3000'], cwd=tmp_path,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    folders = [tmp_path / f'out/experiment-seed{seed}/training' for seed in (1, 2)]
    deadline = time.monotonic() + 60
    while not all((folder / 'gen_best.npz').exists() for folder in folders) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and stderr.count('interrupted; to go on from') == 2, stderr
    for folder in folders:
        assert len(list(folder.glob('snapshot_iter_*.npz'))) == 1
