"""One writer per folder, also when the one before was killed."""
import signal
import subprocess
import sys

import pytest

from util.lock import locked
from util.script import PROJECT, UserError

HOLD = ('import sys, time; from pathlib import Path; from util.lock import locked\n'
        'with locked(Path(sys.argv[1])): print("held", flush=True); time.sleep(60)')


def test_a_second_run_is_refused_and_may_come_afterwards(tmp_path):
    with locked(tmp_path / 'out'):
        (tmp_path / 'out/result').touch()
        with pytest.raises(UserError, match='out: another run is writing into this folder'), locked(tmp_path / 'out'):
            pass
    with locked(tmp_path / 'out'):
        pass
    assert (tmp_path / 'out/result').exists()


def test_another_process_is_kept_out_and_a_killed_one_keeps_nobody_out(tmp_path):
    with subprocess.Popen([sys.executable, '-c', HOLD, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b'held\n'
        with pytest.raises(UserError, match='another run is writing'), locked(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locked(tmp_path):
            pass


def test_what_came_to_nothing_leaves_no_folder(tmp_path):
    with pytest.raises(UserError, match='no'), locked(tmp_path / 'out'):
        raise UserError('no')
    assert not (tmp_path / 'out').exists()
