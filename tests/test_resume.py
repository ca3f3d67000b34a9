"""A training that is interrupted and goes on ends as one that was not; what would make another run of it is refused.

All but the tests of signals run in this process.
"""
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

import training
from tests.experiment import TRAINING_ARGUMENTS, assert_refused, assert_same_weights, change, command, weights
from tests.util.dataset.test_drawn import EVERYTHING
from util.files import replacing, sha256
from util.training import schedules, trainer
from util.training.archive import RANDOM, read_start
from util.training.resume import VOXELS
from util.volumes.reading import read_volume
from util.volumes.writing import write_volume


def sets(*changes):
    return [word for change in changes for word in ('--set', change)]


def test_a_resumed_run_ends_with_the_same_weights_as_an_uninterrupted_one(experiment, train):
    assert train().returncode == 0
    done = train('--resume', 'run/snapshot_iter_3.npz', out='resumed')
    assert done.returncode == 0, done.stderr
    for name in ('gen_iter_6.npz', 'gen_best.npz'):
        assert_same_weights(experiment / 'run' / name, experiment / 'resumed' / name)


def test_a_finished_run_that_goes_on_for_longer_sees_new_patches(experiment, train):
    """With constant alpha it is the longer run: the patches of iterations 7 and 8 are not those of 1 and 2."""
    change(experiment / 'experiment.yml', 'schedule: linear', 'schedule: constant')
    assert train(out='short').returncode == 0
    change(experiment / 'experiment.yml', 'iteration: 6', 'iteration: 8')
    assert train().returncode == 0
    done = train('--resume', 'short/snapshot_iter_6.npz', out='resumed')
    assert done.returncode == 0, done.stderr
    assert_same_weights(experiment / 'run/gen_iter_8.npz', experiment / 'resumed/gen_iter_8.npz')


def test_every_element_of_the_recipe_resumes_too(experiment, train):
    for old, new in (('residual: none', 'residual: linear'), ('conv3_init: he_normal', 'conv3_init: zero'),
                     ('flip: together', 'flip: x'), ('background_share: null', 'background_share: 0.2'),
                     ('loss: mse', 'loss: charbonnier'), ('schedule: linear', 'schedule: cosine'),
                     ('seed: 0', f'drawn: {EVERYTHING}\nseed: 0')):
        change(experiment / 'experiment.yml', old, new)
    assert train().returncode == 0
    done = train('--resume', 'run/snapshot_iter_3.npz', out='resumed')
    assert done.returncode == 0, done.stderr
    for name in ('gen_iter_6.npz', 'gen_best.npz'):
        assert_same_weights(experiment / 'run' / name, experiment / 'resumed' / name)


def test_the_best_model_outlives_worse_ones_and_a_resumption_elsewhere(experiment, train, monkeypatch):
    """A step of 1 leaves any minimum: validation is best at the first evaluation, before the bad resumption."""
    assert train().returncode == 0
    log = {entry['iteration']: entry.get('val/psnr') for entry in json.loads((experiment / 'run/log').read_text())}
    best = max((3, 6), key=log.get)
    assert_same_weights(experiment / 'run/gen_best.npz', experiment / f'run/gen_iter_{best}.npz')
    monkeypatch.setattr(schedules, 'decayed', lambda *arguments, **settings: 1.0)
    done = train('--resume', 'run/snapshot_iter_3.npz', out='resumed')
    assert f'best on validation: resumed/gen_best.npz ({log[3]:.2f} dB at iteration 3)' in done.stdout, done.stderr
    assert_same_weights(experiment / 'resumed/gen_best.npz', experiment / 'run/gen_iter_3.npz')


def start(experiment, *arguments):
    words = command('training.py', *TRAINING_ARGUMENTS, '-o', 'run', *arguments)
    return subprocess.Popen(words, cwd=experiment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.skipif(sys.platform == 'win32', reason='Windows cannot send signals to one process')
@pytest.mark.parametrize('number, code', [('SIGINT', 130), ('SIGTERM', 143), ('SIGHUP', 129)])
def test_a_signal_leaves_a_snapshot_that_resumes_without_a_name(experiment, train, number, code):
    change(experiment / 'experiment.yml', 'iteration: 6', 'iteration: 100000')
    process = start(experiment)
    deadline = time.monotonic() + 60
    while not (experiment / 'run/gen_iter_3.npz').exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(getattr(signal, number))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code and 'interrupted; to go on from run/snapshot_iter_' in errors
    stopped_at = max(int(path.stem.split('_')[-1]) for path in (experiment / 'run').glob('snapshot_iter_*.npz'))
    change(experiment / 'experiment.yml', 'iteration: 100000', f'iteration: {stopped_at + 2}')
    done = train('--resume')
    assert done.returncode == 0 and f'going on from run/snapshot_iter_{stopped_at}.npz' in done.stderr
    assert (experiment / f'run/gen_iter_{stopped_at + 2}.npz').exists()


@pytest.mark.skipif(sys.platform == 'win32', reason='Windows cannot send signals to one process')
@pytest.mark.parametrize('number, code', [('SIGTERM', 143), ('SIGHUP', 129)])
def test_a_signal_before_the_training_begins_ends_it_with_the_same_code(experiment, here, monkeypatch, number, code):
    """It comes while the volumes are read."""
    monkeypatch.setattr(training, 'load_data', lambda *arguments: os.kill(os.getpid(), getattr(signal, number)))
    before = signal.getsignal(getattr(signal, number))
    done = here(training.main, *TRAINING_ARGUMENTS, '-o', 'run')
    assert (done.returncode, done.stderr.strip()) == (code, 'interrupted before the training began')
    assert signal.getsignal(getattr(signal, number)) == before and not (experiment / 'run').exists()


def test_a_run_that_begins_anew_begins_with_what_it_began_with(experiment, train):
    """A kill came before the first snapshot. Random weights in the place of a model's would be another run."""
    assert train().returncode == 0
    model = '-m', 'run/gen_iter_6.npz'
    assert train(*model, out='next').returncode == 0
    for path in (experiment / 'next').glob('snapshot_iter_*'):
        path.unlink()
    before = weights(experiment / 'next/gen_best.npz')
    assert_refused(train('--resume', out='next'), 'next: no snapshot there can be gone on from, and the run did not '
                                                  'begin with random weights; give -m as it was')
    assert_refused(train('-m', 'run/gen_iter_3.npz', '--resume', out='next'),
                   'next: the run there did not begin with run/gen_iter_3.npz; to go on with it give -m as it was')
    assert all((before[name] == array).all() for name, array in weights(experiment / 'next/gen_best.npz').items())
    assert train(*model, '--resume', out='next').returncode == 0
    began = read_start(experiment / 'next')
    assert began == sha256(experiment / 'run/gen_iter_6.npz') and read_start(experiment / 'run') == RANDOM
    assert train('--resume', 'next/snapshot_iter_3.npz', out='next').returncode == 0  # needs no -m
    assert train('--resume', 'next/snapshot_iter_3.npz', out='other').returncode == 0
    assert read_start(experiment / 'next') == read_start(experiment / 'other') == began
    (experiment / 'next/snapshot_iter_6.npz').unlink()
    (experiment / 'next/versions.yml').write_text('start: [1\n')  # says nothing, and stands in no one's way
    assert train('--resume', out='next').returncode == 0


def test_a_run_with_snapshots_is_not_gone_on_with_from_another_model(experiment, train):
    """Its snapshot would be taken, and not a word be said of the model."""
    assert train().returncode == 0
    model = '-m', 'run/gen_iter_6.npz'
    assert train(*model, out='next').returncode == 0
    before = {path: path.read_bytes() for path in (experiment / 'next').iterdir() if path.is_file()}
    for out, other in (('run', 'run/gen_iter_6.npz'), ('next', 'run/gen_iter_3.npz')):
        for name, folder in (((), out), ([f'{out}/snapshot_iter_3.npz'], 'new')):
            done = train('-m', other, '--resume', *name, '--set', 'iteration=9', out=folder)
            assert_refused(done, f'{out}: the run there did not begin with {other}; to go on with it give -m')
    assert {path: path.read_bytes() for path in before} == before and not (experiment / 'new').exists()
    assert train(*model, '--resume', '--set', 'iteration=7', out='next').returncode == 0


class TestResumeWithoutAName:
    def test_takes_the_newest_and_ends_as_an_uninterrupted_run(self, experiment, train):
        assert train(out='whole').returncode == 0
        assert train().returncode == 0
        (experiment / 'run/snapshot_iter_6.npz').unlink()
        done = train('--resume')
        assert done.returncode == 0 and 'going on from run/snapshot_iter_3.npz' in done.stderr
        assert_same_weights(experiment / 'run/gen_iter_6.npz', experiment / 'whole/gen_iter_6.npz')

    @pytest.mark.parametrize('damage', [lambda content: content[:len(content) // 2], lambda content: b'',
                                        lambda content: content[:-1000] + bytes(1000)])
    def test_passes_a_damaged_one_over_by_name(self, experiment, train, damage):
        assert train().returncode == 0
        newest = experiment / 'run/snapshot_iter_6.npz'
        newest.write_bytes(damage(newest.read_bytes()))
        done = train('--resume')
        assert done.returncode == 0, done.stderr
        assert 'passed over: run/snapshot_iter_6.npz: ' in done.stderr
        assert 'going on from run/snapshot_iter_3.npz' in done.stderr

    def test_begins_anew_where_a_kill_came_before_the_first_one(self, experiment, train):
        assert train(out='whole').returncode == 0
        (experiment / 'run').mkdir()
        (experiment / 'run/log').write_text('[]')
        assert_refused(train(), 'run holds a run already; go on with it with --resume')
        done = train('--resume')
        assert done.returncode == 0 and 'run: no usable snapshot there; the training starts anew' in done.stderr
        assert_same_weights(experiment / 'run/gen_iter_6.npz', experiment / 'whole/gen_iter_6.npz')


    def test_puts_damaged_ones_aside_so_that_those_of_now_are_kept(self, experiment, train):
        """A damaged snapshot of a late iteration is no reason to drop the early ones of the new run."""
        assert train('--set', 'iteration=3').returncode == 0
        for number in (900, 901, 902):
            (experiment / f'run/snapshot_iter_{number}.npz').write_bytes(b'damaged')
        assert train('--resume').returncode == 0
        assert {path.name for path in (experiment / 'run').glob('snapshot_iter_*')} == {
            'snapshot_iter_3.npz', 'snapshot_iter_6.npz', *(f'snapshot_iter_{n}.npz.damaged' for n in (900, 901, 902))}

    def test_begins_nothing_else_anew_in_the_folder_of_a_run(self, experiment, train):
        assert train().returncode == 0
        for path in (experiment / 'run').glob('snapshot_iter_*'):
            path.unlink()
        best = (experiment / 'run/gen_best.npz').read_bytes()
        assert_refused(train('--resume', '--set', 'seed=9'), 'run/config.yml: seed was 0 and is 9 now')
        assert (experiment / 'run/gen_best.npz').read_bytes() == best


@pytest.mark.parametrize('left', ['log', 'gen_best.npz', 'gen_iter_3.npz', 'snapshot_iter_3.npz'])
def test_a_run_is_known_by_anything_that_it_left(experiment, train, left):
    """A kill may come before the first line of the log."""
    (experiment / 'run').mkdir()
    (experiment / 'run' / left).write_bytes(b'')
    assert_refused(train(), 'run holds a run already; go on with it with --resume')


def test_an_archived_config_that_is_refused_today_is_no_hindrance_where_a_snapshot_is_usable(experiment, train):
    """Those of before name gaussian's fwhm beside every degradation."""
    assert train().returncode == 0
    change(experiment / 'run/config.yml', '  noise_sigma', '  fwhm: 1.0\n  noise_sigma')
    done = train('--resume', '--set', 'iteration=7')
    assert done.returncode == 0, done.stderr


def test_a_snapshot_of_elsewhere_does_not_go_on_over_another_run(experiment, train):
    for out in ('one', 'other'):
        assert train(out=out).returncode == 0
    best = (experiment / 'other/gen_best.npz').read_bytes()
    assert_refused(train('--resume', 'one/snapshot_iter_3.npz', out='other'), 'other holds another run')
    assert (experiment / 'other/gen_best.npz').read_bytes() == best


@pytest.mark.parametrize('changes, key, words', [
    (['batchsize=2'], 'batchsize', 'batchsize was 5 and is 2 now'),
    (['seed=1'], 'seed', 'seed was 0 and is 1 now'),
    (['adam.alpha=1e-3'], 'adam.alpha', 'adam.alpha was 0.0001 and is 0.001 now'),
    (['loss=l1'], 'loss', 'loss.name was mse and is l1 now'),
    (['loss=charbonnier'], 'loss', 'loss.name was mse and is charbonnier now'),
    (['dataset.training_list=two_list.txt'], 'cases', "training cases was ['0000'] and is ['0000', '0003'] now"),
])
def test_a_run_goes_on_with_what_it_began_with(experiment, train, changes, key, words):
    """Another value would make another experiment of it in silence; nothing of the run is touched."""
    for kind in ('LR', 'HR'):
        (experiment / kind / '0003.mhd').write_bytes((experiment / kind / '0000.mhd').read_bytes())
    (experiment / 'two_list.txt').write_text('LR/0000.mhd HR/0000.mhd\nLR/0003.mhd HR/0003.mhd\n')
    assert train().returncode == 0
    before = {path: path.read_bytes() for path in (experiment / 'run').iterdir() if path.is_file()}
    for name in ((), ('run/snapshot_iter_3.npz',)):
        assert_refused(train('--resume', *name, *sets('iteration=9', *changes)), words)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize('kind, case, words', [('LR', '0000', 'training case 0000'),
                                               ('HR', '0002', 'validation case 0002')])
def test_a_run_does_not_go_on_with_other_volumes_of_the_same_names(experiment, train, kind, case, words):
    """Such as pairs that were made anew, of other people. Where a pair lies, and in which format, may change."""
    assert train().returncode == 0
    path = experiment / f'{kind}/{case}.mhd'
    volume = read_volume(path)
    array = volume.array.copy()
    array[0, 1, 2, 3] += 1
    write_volume(path, replace(volume, array=array))
    for name in ((), ('run/snapshot_iter_3.npz',)):
        assert_refused(train('--resume', *name, '--set', 'iteration=9'),
                       f'the volumes of {words} are not those that the run began with')
    write_volume(experiment / f'moved/{kind}/{case}.nii.gz', volume)
    change(experiment / ('training_list.txt' if case == '0000' else 'val_list.txt'), f'{kind}/{case}.mhd',
           f'moved/{kind}/{case}.nii.gz')
    assert train('--resume', '--set', 'iteration=9').returncode == 0


def test_a_snapshot_of_before_voxels_were_kept_is_gone_on_from(experiment, train, monkeypatch):
    ran_with = trainer.ran_with

    def older(*given):
        return {key: value for key, value in ran_with(*given).items() if key != VOXELS}

    with monkeypatch.context() as patch:
        patch.setattr(trainer, 'ran_with', older)
        assert train().returncode == 0
    assert train('--resume', '--set', 'iteration=9').returncode == 0


def test_length_and_intervals_may_change(experiment, train):
    assert train().returncode == 0
    done = train('--resume', *sets('iteration=8', 'display_interval=1', 'evaluation_interval=1',
                                   'snapshot_interval=1', 'snapshots_kept=2'))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (experiment / 'run').glob('snapshot_iter_*')} == {'snapshot_iter_7.npz',
                                                                                    'snapshot_iter_8.npz'}


def test_the_last_three_snapshots_are_kept_or_all(experiment, train):
    assert train('--set', 'snapshot_interval=1', out='three').returncode == 0
    assert train(*sets('snapshot_interval=1', 'snapshots_kept=null'), out='all').returncode == 0
    for out, kept in (('three', {4, 5, 6}), ('all', set(range(1, 7)))):
        assert {int(path.stem.split('_')[-1]) for path in (experiment / out).glob('snapshot_iter_*')} == kept
        assert len(list((experiment / out).glob('gen_iter_*'))) == 6  # networks are results


def test_what_a_kill_left_half_written_is_removed_and_nothing_else(experiment, train):
    run = experiment / 'run'
    (run / 'logab12_xyz').mkdir(parents=True)
    (run / 'logab12_xyz/log.json').write_text('[')
    with replacing(run / 'gen_iter_3.npz') as temporary:
        stray = run / temporary.name
        kept = temporary.read_bytes()
    stray.write_bytes(kept)
    (run / 'samples').mkdir()
    (run / 'samples' / stray.name).write_bytes(kept)
    (run / 'logbook').mkdir()
    (run / 'logs_2024_1').mkdir()
    (run / 'logs_2024_1/notes.txt').touch()
    (run / '.mine').touch()
    assert train('--resume').returncode == 0
    left = {path.name for path in run.iterdir()}
    assert {'logbook', 'logs_2024_1', '.mine'} <= left and not left & {'logab12_xyz', stray.name}
    assert {path.name for path in (run / 'samples').iterdir()} == {'iteration_000003.png', 'iteration_000006.png'}


def test_a_finished_run_does_not_start_again(experiment, train):
    assert train().returncode == 0
    assert_refused(train('--resume', 'run/snapshot_iter_6.npz'), 'iteration 6 is the last already')


def test_a_model_file_is_not_taken_for_a_snapshot(experiment, train):
    assert train().returncode == 0
    assert_refused(train('--resume', 'run/gen_iter_3.npz'), 'not a snapshot of training.py')


def test_the_signal_handlers_of_a_caller_come_back(experiment, train):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert train().returncode == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
