"""Several processes: results as they come, what is said in order, deaths that cost one item, and no process left."""
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from tests.util.work import prepare
from util import script
from util.processes import Died, results
from util.script import PROJECT, UserError

pytestmark = pytest.mark.skipif(sys.platform == 'win32', reason='Windows knows no SIGKILL')


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_results_come_as_they_are_and_what_is_said_in_the_items_order(tmp_path, capsys, monkeypatch):
    """The first item waits for the second one."""
    monkeypatch.delenv('OPENBLAS_NUM_THREADS', raising=False)
    script.said.clear()
    found = list(results(prepare, tmp_path, ['wait', 'go', 'a', 'b'], 2, 3))
    assert sorted(number for number, _ in found) == [0, 1, 2, 3]
    assert {number: result[0] for number, result in found} == {0: 'wait', 1: 'go', 2: 'a', 3: 'b'}
    processes = {result[1] for _, result in found}
    assert len(processes) == 2 and os.getpid() not in processes
    assert {result[2] for _, result in found} == {'3'} and 'OPENBLAS_NUM_THREADS' not in os.environ
    assert capsys.readouterr().err.splitlines() == [line for item in ('wait', 'go', 'a', 'b')
                                                    for line in (f'note: a note of {item}', f'a line of {item}')]
    assert script.said == [f'a note of {item}' for item in ('wait', 'go', 'a', 'b')]


def test_a_process_that_dies_costs_its_own_item_alone(tmp_path):
    found = dict(results(prepare, tmp_path, ['killed', 'exit', 'a'], 1, 1))
    assert found[0] == Died('was killed (SIGKILL), as the system does where memory is short')
    assert found[1] == Died('ended with exit code 3') and found[2][0] == 'a'


@pytest.mark.parametrize('item, kind, words', [('mistake', UserError, '^a.nii: wrong$'),
                                               ('bug', RuntimeError, 'line .*\n.*\nValueError: of the code')])
def test_what_is_raised_in_a_process_is_raised_here_and_ends_the_others(tmp_path, item, kind, words):
    with pytest.raises(kind, match=words):
        list(results(prepare, tmp_path, ['sleep', item], 2, 1))
    assert not multiprocessing.active_children()


def test_leaving_early_ends_the_processes(tmp_path):
    left = results(prepare, tmp_path, ['a', 'sleep'], 2, 1)
    next(left)
    wait_for((tmp_path / 'asleep').exists)
    left.close()
    assert not multiprocessing.active_children()


def test_where_this_process_is_killed_the_others_end(tmp_path):
    code = ('from tests.util.work import prepare\nfrom util.processes import results\n'
            f'list(results(prepare, {str(tmp_path)!r}, ["sleep"], 1, 1))')
    with subprocess.Popen([sys.executable, '-c', code], cwd=PROJECT, stdout=subprocess.PIPE) as process:
        wait_for((tmp_path / 'asleep').exists)
        process.kill()
        begun = time.monotonic()
        process.stdout.read()  # until the last one that holds the pipe is gone; it would sleep for a minute
    assert time.monotonic() - begun < 30
