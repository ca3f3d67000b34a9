"""The Trainer's promises, on tiny volumes: what is kept, that a resumed run is the uninterrupted one, refusals.

All but a test of the exit code run in this process.
"""
import json
from dataclasses import replace

import chainer
import numpy
import pytest
import yaml

from tests.experiment import (HR_GEOMETRY, LR_GEOMETRY, TRAINING_ARGUMENTS, assert_refused, assert_same_weights, call,
                              change, weights)
from util.config_files import load_config, read_experiment
from util.lock import locked
from util.script import PROJECT
from util.training import trainer as trainer_module
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import write_volume


def test_a_run_keeps_what_ran_and_logs_losses_and_psnr(experiment, train_and_draw):
    change(experiment / 'experiment.yml', 'display_interval: 3', 'display_interval: 1')
    done = train_and_draw()
    assert done.returncode == 0, done.stderr
    run = experiment / 'run'
    found = {path.name for path in run.iterdir()} - {'.lock'}
    assert found == {'config.yml', 'versions.yml', 'training_list.txt', 'val_list.txt', 'test_list.txt', 'espcn3d.py',
                     'log', 'gen_loss.png', 'gen_best.npz', 'gen_iter_3.npz', 'gen_iter_6.npz', 'snapshot_iter_3.npz',
                     'snapshot_iter_6.npz', 'samples'}
    assert {path.name for path in (run / 'samples').iterdir()} == {'iteration_000003.png', 'iteration_000006.png'}
    config = load_config(experiment / 'experiment.yml')
    assert load_config(run / 'config.yml') == config == read_experiment(run / 'gen_iter_6.npz')
    log = json.loads((run / 'log').read_text())
    assert [entry['iteration'] for entry in log] == [1, 2, 3, 4, 5, 6]
    assert all(numpy.isfinite(entry['main/loss']) for entry in log)
    assert [entry['iteration'] for entry in log if 'val/psnr' in entry] == [3, 6]
    # what each update used: constant up to the decay's start, then falling linearly; after the last it is 0
    assert [entry['alpha'] for entry in log] == pytest.approx([1e-4, 1e-4, 1e-4, 7.5e-5, 5e-5, 2.5e-5])


def test_the_seed_alone_decides_the_weights(experiment, train):
    for out in ('one', 'same'):
        assert train(out=out).returncode == 0
    change(experiment / 'experiment.yml', 'seed: 0', 'seed: 1')
    assert train(out='other').returncode == 0
    assert_same_weights(experiment / 'one/gen_iter_6.npz', experiment / 'same/gen_iter_6.npz')
    with pytest.raises(AssertionError):
        assert_same_weights(experiment / 'one/gen_iter_6.npz', experiment / 'other/gen_iter_6.npz')


def test_the_training_s_loss_looks_at_patches_without_their_margin_and_the_validation_s_at_whole_volumes(
        experiment, train, monkeypatch):
    seen, mse = set(), trainer_module.LOSSES['mse']
    monkeypatch.setitem(trainer_module.LOSSES, 'mse', lambda sr, hr: seen.add(hr.shape[-3:]) or mse(sr, hr))
    assert train('--set', 'loss=mse', '--set', 'patchside=[8,10,12]', '--set', 'margin=1').returncode == 0
    assert seen == {(8, 10, 12), (4, 6, 8), (24, 24, 24)}


def test_a_folder_that_another_run_writes_into_is_refused(experiment, train):
    with locked(experiment / 'run'):
        assert_refused(train(), 'run: another run is writing into this folder')
    assert train().returncode == 0


def test_weights_that_are_not_finite_are_not_kept(experiment, train, monkeypatch):
    """Whatever made them so: the loss of the last iteration is that of the weights before."""
    def spoil(trainer):
        if trainer.updater.iteration == 5:
            trainer.updater.get_optimizer('main').target.conv3.b.array[0] = numpy.nan

    original = trainer_module.make_trainer

    def make_trainer(*arguments):
        trainer = original(*arguments)
        trainer.extend(spoil, name='spoil', trigger=(1, 'iteration'), priority=-50)
        return trainer

    monkeypatch.setattr(trainer_module, 'make_trainer', make_trainer)
    done = train('--set', 'display_interval=100')
    assert done.returncode == 2 and 'error: ' in done.stderr and 'Traceback' not in done.stderr
    assert {path.name for path in (experiment / 'run').glob('*_iter_*')} == {'gen_iter_3.npz', 'snapshot_iter_3.npz'}


def test_a_trained_model_can_be_the_start_of_another_run(experiment, train):
    assert train().returncode == 0
    change(experiment / 'experiment.yml', 'alpha: 1.0e-4', 'alpha: 1.0e-30')  # so that the weights stay what they were
    assert train('-m', 'run/gen_iter_6.npz', out='next').returncode == 0
    assert_same_weights(experiment / 'run/gen_iter_6.npz', experiment / 'next/gen_iter_6.npz')


def test_a_run_is_never_written_over(experiment, train):
    assert train().returncode == 0
    before = (experiment / 'run/log').read_bytes()
    assert_refused(train(), 'run holds a run already')
    assert (experiment / 'run/log').read_bytes() == before


@pytest.mark.parametrize('arguments, words', [
    (('--resume', 'none.npz'), 'none.npz: cannot read this snapshot: No such file'),
    (('--resume', 'HR/0000.raw'), 'HR/0000.raw: not a snapshot, or damaged'),
    (('-m', 'none.npz'), 'none.npz: cannot read this model file'),
    (('-g', '99'), '-g 99: '),
])
def test_a_wrong_argument_is_one_line(experiment, train, arguments, words):
    assert_refused(train(*arguments), words)
    assert not (experiment / 'run').exists()


def test_missing_data_name_the_command_that_makes_them(experiment, train):
    (experiment / 'LR/0000.mhd').unlink()
    done = train()
    assert_refused(done, 'make_lr_img.py')
    assert done.stderr.startswith('error: experiment.yml: dataset.training_list: ')


@pytest.mark.parametrize('wrong, words', [
    (('loss=gaussian_nll',), 'loss: gaussian_nll needs a network that returns a Normal distribution'),
    (('loss=mse_ssim', 'intensity_scaling=percentile', 'patchside=6'), 'loss: mse_ssim needs 7 HR voxels or more')])
def test_a_loss_that_cannot_be_had_is_refused_before_anything_is_written(experiment, train, wrong, words):
    """So that the command can be given again, put right."""
    done = train(*(word for change in wrong for word in ('--set', change)))
    assert_refused(done, words)
    assert not (experiment / 'run').exists()
    assert train().returncode == 0


@pytest.mark.parametrize('wrong, words', [
    ('args.ksizes=[3, 2, 3]', 'args: ESPCN3D does not take'), ('fn=models/none.py', 'fn: no such Python file')])
def test_a_network_that_cannot_be_made_is_told_with_the_file_that_wants_it(experiment, train, wrong, words):
    done = train('--set', f'models.generator.{wrong}')
    assert_refused(done, words)
    assert done.stderr.startswith(f'error: experiment.yml: models.generator.{words}')


def test_pairs_of_another_rate_are_refused(experiment, train):
    change(experiment / 'experiment.yml', 'upsampling_rate: 2', 'upsampling_rate: 4')
    assert_refused(train(), 'do not fit upsampling_rate (4, 4, 4)')


def test_pairs_of_another_degradation_are_refused(experiment, train):
    """block_mean puts LR voxels half an HR voxel elsewhere than bspline."""
    change(experiment / 'experiment.yml', 'name: bspline', 'name: block_mean')
    assert_refused(train(), 'mm away from where')


def test_a_patch_larger_than_a_volume_is_refused(experiment, train):
    change(experiment / 'experiment.yml', 'patchside: 8', 'patchside: 26')
    assert_refused(train(), 'patchside: 26 along z does not fit into a volume of 24 voxels')


@pytest.mark.filterwarnings('ignore:(overflow|invalid value) encountered:RuntimeWarning')  # on the way to it
def test_a_loss_that_is_not_finite_stops_the_run_before_anything_is_kept(experiment, train):
    change(experiment / 'experiment.yml', 'alpha: 1.0e-4', 'alpha: 1.0e+20')
    change(experiment / 'experiment.yml', 'snapshot_interval: 3', 'snapshot_interval: 6')
    done = train()
    assert done.returncode == 2 and 'error: the loss is ' in done.stderr and 'Traceback' not in done.stderr
    assert not list((experiment / 'run').glob('*.npz'))


def test_the_command_line_changes_keys_and_the_archive_holds_what_ran(experiment, train):
    done = train('--set', 'adam.alpha=1e-3', '--set', 'iteration=3', '--set', 'loss=l1')
    assert done.returncode == 0, done.stderr
    config = load_config(experiment / 'run/config.yml')
    assert (config.adam.alpha, config.iteration, config.loss.name) == (1e-3, 3, 'l1')
    assert config == read_experiment(experiment / 'run/gen_iter_3.npz')
    assert_refused(train('--set', 'adam.alfa=1', out='other'), 'experiment.yml --set adam.alfa=1: adam.alfa: unknown')


def make_two_channels(folder):
    """The tiny experiment's pairs with a second channel: the first, upside down in intensity."""
    for kind, geometry in (('LR', LR_GEOMETRY), ('HR', HR_GEOMETRY)):
        for path in (folder / kind).glob('*.mhd'):
            array = read_volume(path).array
            write_volume(path, Volume(numpy.concatenate([array, 500 - array]), *geometry))


def test_volumes_of_two_channels_train_from_the_files_on(experiment, train):
    make_two_channels(experiment)
    assert_refused(train(), 'case 0000: 2 channels; this network takes 1 (in_channels')
    change(experiment / 'experiment.yml', 'in_channels: 1', 'in_channels: 2')
    done = train('--set', 'intensity_scaling=percentile')
    assert done.returncode == 0, done.stderr
    assert weights(experiment / 'run/gen_iter_6.npz')['conv1/W'].shape == (50, 2, 3, 3, 3)


UNCERTAIN = '''"""A network that predicts variances, of the project's own parts."""
import chainer
from chainer.distributions import Normal
from models.espcn3d import ESPCN3D


class Uncertain(chainer.Chain):
    in_channels = 1

    def __init__(self, sampling):
        super().__init__()
        self.sampling = sampling
        with self.init_scope():
            self.mean, self.log_variance = ESPCN3D(sampling), ESPCN3D(sampling)
        self.halo = self.mean.halo

    def forward(self, x):
        return Normal(self.mean(x), log_scale=self.log_variance(x) / 2)
'''


def test_a_network_that_predicts_variances_needs_its_file_and_a_loss_alone(experiment, train, here, monkeypatch):
    """Gaussian likelihood as the loss: training, validation, inference and its map, below -R."""
    import inference
    from util.training import losses

    def likelihood(prediction, hr):
        return -chainer.functions.mean(prediction.log_prob(hr))

    monkeypatch.setitem(losses.LOSSES, 'likelihood', likelihood)
    (experiment / 'uncertain.py').write_text(UNCERTAIN)
    for old, new in (('fn: models/espcn3d.py', 'fn: uncertain.py'), ('name: ESPCN3D', 'name: Uncertain'),
                     ('loss: mse', 'loss: likelihood'), ('intensity_scaling: none', 'intensity_scaling: percentile')):
        change(experiment / 'experiment.yml', old, new)
    text = (experiment / 'experiment.yml').read_text()
    start, stop = text.index('    args:'), text.index('\nintensity_scaling')
    (experiment / 'experiment.yml').write_text(text[:start] + text[stop:])

    done = train()
    assert done.returncode == 0, done.stderr
    assert (experiment / 'run/uncertain.py').read_text() == UNCERTAIN
    log = json.loads((experiment / 'run/log').read_text())
    assert all(numpy.isfinite(entry['main/loss']) for entry in log) and 'val/loss' in log[-1]
    done = here(inference.main, '-m', 'run/gen_iter_6.npz', '-R', '.', '-o', 'out')
    assert done.returncode == 0, done.stderr
    mean, deviation = (read_volume(experiment / f'out/0001{suffix}.mhd') for suffix in ('', '_deviation'))
    assert deviation.array.shape == mean.array.shape and deviation.spacing == mean.spacing
    assert (deviation.array > 0).all()


def test_a_scan_unlike_those_of_the_training_is_told_at_the_end(experiment, train, here):
    """By what the model file keeps of their looks. One of the training is not, nor is any after one on two scans."""
    import inference

    (experiment / 'training_list.txt').write_text('LR/0000.mhd HR/0000.mhd\n')
    lr, hr = (read_volume(experiment / f'{kind}/0000.mhd') for kind in ('LR', 'HR'))
    for name in ('0003', '0004', '0005'):
        write_volume(experiment / f'LR/{name}.mhd', replace(lr, array=lr.array * int(name)))
        write_volume(experiment / f'HR/{name}.mhd', replace(hr, array=hr.array * int(name)))
        with open(experiment / 'training_list.txt', 'a') as file:
            file.write(f'LR/{name}.mhd HR/{name}.mhd\n')
    write_volume(experiment / 'inverted.mhd', replace(lr, array=lr.array.max() - lr.array))
    assert train().returncode == 0
    arguments = inference.main, '-R', '.', '-o', 'out', '-i', 'LR/0003.mhd', 'inverted.mhd', '-m'
    done = here(*arguments, 'run/gen_best.npz')
    assert done.returncode == 0
    line, = [line for line in done.stderr.splitlines() if 'unlike the scans of the training' in line]
    assert line.startswith('note: inverted.mhd is ') and ', in training ' in line and 'score ' in line

    (experiment / 'two.txt').write_text('LR/0000.mhd HR/0000.mhd\nLR/0003.mhd HR/0003.mhd\n')
    assert train('--set', 'dataset.training_list=two.txt', out='two').returncode == 0
    assert 'unlike' not in here(*arguments, 'two/gen_best.npz').stderr


def take_recipe(folder, name):
    """Let the experiment be a recipe of the project, on its own data and as short as it is."""
    own = yaml.safe_load((folder / 'experiment.yml').read_text())
    own = {key: own[key] for key in own if key not in ('models', 'loss', 'intensity_scaling')}
    (folder / 'experiment.yml').write_text(f'extends: {PROJECT}/configs/{name}.yml\n' + yaml.safe_dump(own))


def test_the_recipe_with_uncertainty_trains_and_is_scored(experiment, train, train_and_draw, here):
    """Also where the likelihood is below 0, which no axis of logarithms can show."""
    import inference

    take_recipe(experiment, 'x4_uncertain')
    assert 'leaves the deviations that this network predicts as they are' in train('--set', 'loss=l1', out='l1').stderr
    done = train_and_draw()
    assert done.returncode == 0 and 'deviations' not in done.stderr, done.stderr
    log = json.loads((experiment / 'run/log').read_text())
    assert log[-1]['val/loss'] < 0 and (experiment / 'run/gen_loss.png').exists()
    done = here(inference.main, '-m', 'run/gen_best.npz', '-R', '.', '-o', 'out')
    assert done.returncode == 0, done.stderr
    assert {'0001.mhd', '0001_deviation.mhd', 'scores.csv', 'uncertainty.csv', '0001.png', '0001_uncertainty.png'
            } <= {path.name for path in (experiment / 'out').iterdir()}


def test_a_fixed_mean_stays_to_the_bit_while_the_deviation_learns(experiment, train):
    take_recipe(experiment, 'x4_uncertain')
    assert train().returncode == 0
    fixed = '--set', 'models.generator.args.fixed_mean=true'
    assert_refused(train(*fixed, out='next'), 'fixed_mean: what the network says of HR would stay that of random '
                                              'weights; give the model whose answers it is to have with -m')
    fixed = *fixed, '-m', 'run/gen_iter_6.npz'
    done = train(*fixed, '--set', 'loss=mse', out='next')
    assert done.returncode == 2 and 'loss: mse looks at the mean alone, which fixed_mean' in done.stderr
    assert train(*fixed, out='next').returncode == 0
    before, after = (weights(experiment / run / 'gen_iter_6.npz') for run in ('run', 'next'))
    for name in before:
        assert numpy.array_equal(before[name], after[name]) == name.startswith('mean/'), name
    assert train(*fixed[:2], '--resume', 'next/snapshot_iter_3.npz', out='resumed').returncode == 0
    assert_same_weights(experiment / 'next/gen_iter_6.npz', experiment / 'resumed/gen_iter_6.npz')


def test_a_mean_that_is_fixed_is_never_that_of_random_weights(experiment, train):
    take_recipe(experiment, 'x4_uncertain')
    fixed = '--set', 'models.generator.args.fixed_mean=true'
    (experiment / 'run').mkdir()
    (experiment / 'run/log').write_text('[]')
    assert_refused(train(*fixed, '--resume'), 'would stay that of random weights; give the model whose answers')
    assert not list((experiment / 'run').glob('gen_*'))


def test_the_recipe_with_uncertain_weights_trains_resumes_and_is_drawn_from(experiment, train, here):
    """Its noise goes on where it was: a resumed run ends with the same weights as an uninterrupted one."""
    import inference

    take_recipe(experiment, 'x4_bayesian')
    assert_refused(train('--set', 'loss=l1', out='other'), 'loss: l1 is no likelihood')
    assert train().returncode == 0
    done = train('--resume', 'run/snapshot_iter_3.npz', out='resumed')
    assert done.returncode == 0, done.stderr
    assert_same_weights(experiment / 'run/gen_iter_6.npz', experiment / 'resumed/gen_iter_6.npz')

    arguments = inference.main, '-m', 'run/gen_best.npz', '-R', '.', '-o', 'out'
    done = here(*arguments)
    assert done.returncode == 0 and 'without --samples' in done.stderr
    one = read_volume(experiment / 'out/0001_deviation.mhd')
    done = here(*arguments, '--samples', 4)
    assert done.returncode == 0 and '--samples' not in done.stderr, done.stderr
    parts = [read_volume(experiment / f'out/0001_{name}.mhd') for name in ('deviation', 'intrinsic', 'parameter')]
    numpy.testing.assert_array_equal(parts[1].array, one.array)
    assert (parts[0].array >= parts[1].array).all() and (parts[2].array > 0).all()
    assert len({(part.spacing, part.origin, part.direction) for part in (one, *parts)}) == 1
    assert here(*arguments).returncode == 0  # whose parts the other run's are no more
    assert not list((experiment / 'out').glob('*_parameter.*')) and not list((experiment / 'out').glob('*_intrin*'))


@pytest.mark.parametrize('samples', ['0', '1', '-3'])
def test_the_spread_of_fewer_than_two_networks_is_refused(experiment, here, samples):
    import inference

    (experiment / 'gen.npz').touch()
    done = here(inference.main, '-m', 'gen.npz', f'--samples={samples}')
    assert_refused(done, 'needs 2 or more')


@pytest.mark.parametrize('body, error, words', [
    ('F.concat([x, x], axis=1)', ValueError, 'a second output belongs in a distribution'),
    ('(x, x)', TypeError, 'the network returned a tuple'),
    ('x.array', TypeError, 'the network returned a ndarray')])
def test_a_network_that_returns_something_else_is_told_at_the_first_iteration(experiment, train, body, error, words):
    """A mean and a log variance as two channels would be broadcast against HR, and train in silence."""
    (experiment / 'other.py').write_text(
        'import chainer.functions as F\nfrom models.espcn3d import ESPCN3D\n'
        f'class Other(ESPCN3D):\n    def forward(self, x):\n        x = super().forward(x)\n        return {body}\n')
    change(experiment / 'experiment.yml', 'fn: models/espcn3d.py', 'fn: other.py')
    change(experiment / 'experiment.yml', 'name: ESPCN3D', 'name: Other')
    with pytest.raises(error, match=words):
        train('--set', 'loss=charbonnier')
    assert not list((experiment / 'run').glob('*.npz'))


@pytest.mark.parametrize('name', ['config.yml', 'training_list.txt', 'espcn3d.py'])
def test_a_run_replaces_no_file_that_is_not_its_own(experiment, train, name):
    """Such as the config that it reads, or a list of the user's."""
    (experiment / 'run').mkdir()
    (experiment / 'run' / name).write_text('# mine')
    assert_refused(train(), f'run/{name} is there, and the run would replace it')
    assert (experiment / 'run' / name).read_text() == '# mine'


def test_a_wrong_argument_leaves_the_process_with_exit_code_2(experiment):
    done = call(experiment, 'training.py', *TRAINING_ARGUMENTS, '-o', 'run', '--resume', 'none.npz')
    assert_refused(done, 'none.npz')
