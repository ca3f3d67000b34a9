"""inference.py --jobs: several processes give the same files, scores and words as one."""
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.experiment import INFERENCE_ARGUMENTS, assert_refused, command
from tests.test_inference import make_unsure, prepare
from util import processes
from util.files import UNFINISHED


@pytest.fixture
def experiment(tmp_path):
    return prepare(tmp_path)


def contents(folder):
    """Of each file its bytes; report.html names the command line and the folder, and stands for itself."""
    return {path.relative_to(folder): b'' if path.name == 'report.html' else path.read_bytes()
            for path in folder.rglob('*') if path.is_file() and path.name != '.lock'}


@pytest.mark.slow
def test_two_processes_give_the_same_scores_and_pictures_as_one(experiment, infer):
    """And the deviations; the network is one that lies beside the experiment (-R)."""
    make_unsure(experiment)
    (experiment / 'test_list.txt').write_text('LR/0002.mhd HR/0002.mhd\nLR/0001.mhd HR/0001.mhd\n')
    done = [infer('-o', folder, *arguments) for folder, arguments in (('one', ()), ('two', ('--jobs', 2)))]
    assert [each.returncode for each in done] == [0, 0] and not done[1].stderr
    assert done[0].stdout == done[1].stdout.replace('two/', 'one/')
    one, two = contents(experiment / 'one'), contents(experiment / 'two')
    assert one == two and len(one) == 2 * 6 + 3


def test_two_processes_give_the_same_volumes_and_words_as_one_and_a_bad_volume_costs_no_other(experiment, infer):
    (experiment / 'bad.nii.gz').write_text('not an image')
    arguments = '-i', 'bad.nii.gz', 'LR/0001.mhd', 'none.nii.gz', 'LR/0000.mhd'
    one, two = infer(*arguments, '-o', 'one'), infer(*arguments, '-o', 'two', '--jobs', 2)
    assert two.returncode == one.returncode == 1 and '2 of 4 volumes are done' in two.stderr
    assert two.stderr == one.stderr and two.stdout.replace('two/', 'one/') == one.stdout
    assert contents(experiment / 'two') == contents(experiment / 'one') and len(contents(experiment / 'one')) == 4


def test_a_process_that_dies_is_told_of_in_one_line(experiment, infer, monkeypatch):
    def results(prepare, argument, cases, *_):
        yield 1, processes.Died('was killed (SIGKILL)')
        yield 0, prepare(argument)(cases[0])

    monkeypatch.setattr(processes, 'results', results)
    done = infer('-i', 'LR/0000.mhd', 'LR/0001.mhd', '--jobs', 8)
    assert done.returncode == 1
    assert done.stderr == ('error: LR/0001.mhd: the process that was at it was killed (SIGKILL); fewer --jobs need '
                           'less memory\n1 of 2 volumes are done\n')


def test_numbers_of_processes_that_cannot_be_are_refused(experiment, infer):
    assert_refused(infer('--jobs', 0), '--jobs 0: the number of processes, 1 or more')
    assert_refused(infer('--jobs', 2, '-g', 0), '--jobs 2: processes share the cores of the CPU; leave it out with')


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == 'win32', reason='Windows has no process groups')
def test_ctrl_c_ends_all_processes_and_leaves_nothing_half_written(experiment):
    """A terminal sends it to the whole group. At several moments: while they start, and while they work."""
    names = [f'{number}.mhd' for number in range(200)]
    for name in names:
        shutil.copy(experiment / 'LR/0000.mhd', experiment / name)
    shutil.copy(experiment / 'LR/0000.raw', experiment)
    for moment in (0, 1, 3, 7):
        with subprocess.Popen(command('inference.py', *INFERENCE_ARGUMENTS, '--jobs', 2, '-i', *names), cwd=experiment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
            out = experiment / 'out'
            while process.poll() is None and (not out.exists() or len(list(out.glob('*_x2.mhd'))) < moment):
                time.sleep(0.005)
            os.killpg(process.pid, signal.SIGINT)
            _, stderr = process.communicate(timeout=30)  # ends when all have closed their stderr
        assert (process.returncode, stderr) == (130, b'interrupted\n')
        assert not [path for path in out.rglob('*') if path.name.startswith(UNFINISHED) or '.writing' in path.name]
        if moment:
            shutil.rmtree(out)
