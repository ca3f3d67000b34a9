"""What a person sees of a training on a terminal, and what its last line says to do next."""
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

import inference
import training
from tests.experiment import TRAINING_ARGUMENTS, assert_same_weights, change, command
from tests.util.reports.remembered import remember_figures
from util.reports import training_figures
from util.script import PROJECT

if sys.platform == 'win32':
    pytest.skip('Windows has no pseudo-terminals', allow_module_level=True)
from tests.terminal import open_terminal, read_all, screen

FRAME = re.compile(r'\rtraining: +\d+%\|[^|]*\| (\d+)/(\d+) \[\d\d:\d\d<[\d:?]+, +[\d.?]+(?:it/s|s/it)\]')


def start(words, folder):
    """A command on a terminal: the process, and the end that is to be read."""
    ours, theirs = open_terminal()
    process = subprocess.Popen(words, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    return process, ours


def test_ctrl_c_on_a_terminal_and_on_by_the_last_line(experiment, train):
    """A folder's name has a space in it, and alpha is constant: so the run is one that nobody interrupted."""
    for old, new in (('iteration: 6', 'iteration: 90000'), ('schedule: linear', 'schedule: constant')):
        change(experiment / 'experiment.yml', old, new)
    process, ours = start(command('training.py', *TRAINING_ARGUMENTS, '-o', 'my run'), experiment)
    deadline = time.monotonic() + 60
    while not (experiment / 'my run/gen_iter_3.npz').exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    text = read_all(ours)
    assert process.wait(60) == 130
    assert FRAME.search(text)[1] == '0' and int(FRAME.findall(text)[-1][0]) > 2
    *table, interrupted, last, end = screen(text)
    table.remove('stopping after this iteration and writing a snapshot; once more to stop at once')  # amid, or behind
    done = int(re.fullmatch(r'interrupted; to go on from my run/snapshot_iter_(\d+)\.npz:', interrupted)[1])
    assert end == '' and [line.split()[0] for line in table] == ['iteration', *map(str, range(3, done + 1, 3))]

    change(experiment / 'experiment.yml', 'iteration: 90000', f'iteration: {done + 2}')
    process, ours = start(shlex.split(last), experiment)
    text = read_all(ours)
    assert process.wait(60) == 0
    assert FRAME.search(text).groups() == (str(done), str(done + 2))
    lines = screen(text)
    assert lines[0] == f'going on from my run/snapshot_iter_{done}.npz' and not [x for x in lines if 'training:' in x]
    assert train(out='whole').returncode == 0
    assert_same_weights(experiment / f'my run/gen_iter_{done + 2}.npz', experiment / f'whole/gen_iter_{done + 2}.npz')


@pytest.mark.parametrize('resume, words', [
    (None, ['--resume']), ('run/snapshot_iter_3.npz', ['--resume']), (training.NEWEST, [])])
def test_what_goes_on_is_the_same_command_that_resumes_the_newest(experiment, train, monkeypatch, resume, words):
    """A snapshot that was named is no longer the newest."""
    if resume:
        assert train('--set', 'iteration=3').returncode == 0
    given = [] if resume is None else ['--resume'] if resume == training.NEWEST else ['--resume', resume]
    load = training.load_data

    def interrupted(*arguments):
        signal.getsignal(signal.SIGINT).__self__.exit_code = 130  # as if it came after the training's start
        return load(*arguments)

    monkeypatch.setattr(training, 'load_data', interrupted)
    done = train(*given)
    assert done.returncode == 130
    last = shlex.split(done.stderr.splitlines()[-1])
    assert last == [sys.orig_argv[0], str(PROJECT / 'training.py'), *TRAINING_ARGUMENTS, '-o', 'run', *given, *words]
    assert training.parse_arguments(last[2:]).resume == training.NEWEST


def test_the_last_line_super_resolves_the_test_cases(experiment, train, here):
    """And nothing moves where there is no terminal."""
    done = train(out="a 'best' run")
    assert done.returncode == 0 and done.stderr == '' and '\r' not in done.stdout
    words = shlex.split(done.stdout.splitlines()[-1])
    assert words[:2] == [sys.orig_argv[0], str(PROJECT / 'inference.py')]
    assert words[2:] == ['-m', "a 'best' run/gen_best.npz", '-R', '.']
    assert here(inference.main, *words[2:], '-o', 'out').returncode == 0
    assert (experiment / 'out/0001.mhd').exists()


def test_the_last_line_names_the_config_where_the_model_file_may_not_choose_the_code(experiment, train, here):
    (experiment / 'net.py').write_bytes((PROJECT / 'models/espcn3d.py').read_bytes())
    change(experiment / 'experiment.yml', 'fn: models/espcn3d.py', f'fn: {experiment}/net.py')
    words = shlex.split(train().stdout.splitlines()[-1])
    assert words[2:] == ['-m', 'run/gen_best.npz', '-c', 'run/config.yml', '-R', '.']
    assert here(inference.main, *words[2:], '-o', 'out').returncode == 0


def test_the_curves_of_a_run_that_goes_on_are_whole(experiment, train_and_draw, monkeypatch):
    assert train_and_draw('--set', 'display_interval=1').returncode == 0
    (experiment / 'run/snapshot_iter_6.npz').unlink()
    whole = (experiment / 'run/gen_loss.png').read_bytes()
    made = remember_figures(monkeypatch, training_figures)
    assert train_and_draw('--resume', '--set', 'display_interval=1').returncode == 0
    log = json.loads((experiment / 'run/log').read_text())
    curve = made[-1].axes[0].get_lines()[0].get_xydata()
    assert curve.tolist() == [[line['iteration'], line['main/loss']] for line in log] and len(log) == 6
    assert (experiment / 'run/gen_loss.png').read_bytes() == whole
