"""average_models.py writes the mean of models' weights, which inference.py takes, and nothing that no longer holds."""
import numpy
import pytest

import inference
from tests.experiment import assert_refused, make_experiment, weights
from util.config_files import load_config
from util.inference.model_file import CALIBRATION, put_told, read_experiment_text, read_lie, save_network
from util.inference.network import build_network
from util.miscs import average_models
from util.volumes.orientation import Lie
from util.volumes.reading import read_volume


@pytest.fixture
def models(tmp_path):
    """a.npz, b.npz and c.npz in the folder of the experiment, of other weights each."""
    make_experiment(tmp_path)
    for seed, name in enumerate('abc'):
        numpy.random.seed(seed)
        config = load_config(tmp_path / 'experiment.yml', (f'seed={seed}',))
        save_network(tmp_path / f'{name}.npz', build_network(config), config.to_yaml(), Lie('LAS', (2.0, 3.0, 4.0)))
    return tmp_path


def test_weights_are_the_mean_and_the_rest_is_the_last_model_s(models, here):
    put_told(models / 'c.npz', CALIBRATION, {'of': 'weights that are no longer these'})
    done = here(average_models.main, '-m', 'a.npz', 'b.npz', 'c.npz', '-o', 'out/mean.npz')
    assert (done.returncode, done.stderr) == (0, '')
    found, *others = (weights(models / name) for name in ('out/mean.npz', 'a.npz', 'b.npz', 'c.npz'))
    for name, array in found.items():
        assert array.dtype == numpy.float32
        mean = numpy.mean([one[name] for one in others], axis=0, dtype=numpy.float64)
        numpy.testing.assert_allclose(array, mean, rtol=1e-6)
    assert read_experiment_text(models / 'out/mean.npz') == read_experiment_text(models / 'c.npz')
    assert read_lie(models / 'out/mean.npz') == Lie('LAS', (2.0, 3.0, 4.0))
    with numpy.load(models / 'out/mean.npz') as archive:
        assert CALIBRATION not in archive.files


def test_a_model_averaged_with_itself_gives_the_same_volume(models, here):
    for name, other in (('mean.npz', 'a.npz'), ('mixed.npz', 'b.npz')):
        assert here(average_models.main, '-m', 'a.npz', other, '-o', name).returncode == 0
    plain, same, mixed = (
        (here(inference.main, '-m', name, '-i', 'LR/0000.mhd', '-o', folder).returncode,
         read_volume(models / folder / '0000_x2.mhd').array)[1]
        for name, folder in (('a.npz', 'plain'), ('mean.npz', 'same'), ('mixed.npz', 'mixed')))
    numpy.testing.assert_array_equal(same, plain)
    assert not numpy.allclose(mixed, plain)


def test_half_precision_takes_half_the_disk_and_changes_the_volume_by_less_than_a_thousandth(models, here):
    for name, *arguments in (('mean.npz', 'b.npz'), ('half.npz', 'b.npz', '--half'), ('one.npz', '--half')):
        done = here(average_models.main, '-m', 'a.npz', *arguments, '-o', name)
        assert (done.returncode, done.stderr) == (0, '')
        assert ('half precision' in done.stdout) == ('--half' in arguments)
    for half, whole in (('half.npz', 'mean.npz'), ('one.npz', 'a.npz')):
        found, wanted = weights(models / half), weights(models / whole)
        assert found and found.keys() == wanted.keys()
        for name, array in found.items():
            assert array.dtype == numpy.float16
            numpy.testing.assert_array_equal(array, wanted[name].astype('float16'))
        assert read_lie(models / half) == read_lie(models / whole)
        assert (models / half).stat().st_size < 0.7 * (models / whole).stat().st_size
        sr, other = (
            (here(inference.main, '-m', name, '-i', 'LR/0000.mhd', '-o', f'of_{name}').returncode,
             read_volume(models / f'of_{name}/0000_x2.mhd').array)[1]
            for name in (half, whole))
        assert 0 < numpy.abs(sr - other).max() < 1e-3 * numpy.ptp(other)


def test_a_weight_that_half_precision_cannot_hold_is_refused(models, here):
    config = load_config(models / 'experiment.yml')
    net = build_network(config)
    net.conv1.W.array[0, 0, 0, 0, 0] = 1e5
    save_network(models / 'large.npz', net, config.to_yaml())
    assert_refused(here(average_models.main, '-m', 'large.npz', '--half', '-o', 'out.npz'),
                   'conv1/W holds weights that half precision cannot')
    assert not (models / 'out.npz').exists()


@pytest.mark.parametrize('change, words', [
    ('upsampling_rate=4', 'upsampling_rate is not that of a.npz'),
    ('intensity_scaling=percentile', 'intensity_scaling is not that of a.npz'),
    ('models.generator.args={in_channels: 1, ksizes: [3, 1, 3]}', 'models is not that of a.npz')])
def test_models_of_other_experiments_are_refused_and_nothing_is_written(models, here, change, words):
    config = load_config(models / 'experiment.yml', (change,))
    save_network(models / 'other.npz', build_network(config), config.to_yaml())
    assert_refused(here(average_models.main, '-m', 'other.npz', 'a.npz', '-o', 'out.npz'), words)
    assert not (models / 'out.npz').exists()


def test_a_snapshot_and_a_file_without_an_experiment_are_told_as_what_they_are(models, here):
    numpy.savez(models / 'snapshot_iter_3.npz', entries_that_are_none='[]')
    for names in (('snapshot_iter_3.npz', 'a.npz'), ('a.npz', 'snapshot_iter_3.npz')):
        assert_refused(here(average_models.main, '-m', *names, '-o', 'out.npz'), 'snapshot_iter_3.npz: a snapshot; go')
    numpy.savez(models / 'bare.npz', **weights(models / 'a.npz'))
    assert_refused(here(average_models.main, '-m', 'bare.npz', 'a.npz', '-o', 'out.npz'),
                   '(of configs/base.yml, since bare.npz says nothing of its experiment)')


@pytest.mark.parametrize('arguments, words', [
    (('-m', 'a.npz', '-o', 'out.npz'), 'name two models at least, or --half'),
    (('-m', 'a.npz', 'b.npz', '-o', 'b.npz'), 'it is one of the models'),
    (('-m', 'a.npz', 'c.npz', '-o', 'b.npz'), '-o b.npz: there already'),
    (('-m', 'a.npz', 'b.npz', '-o', 'out'), 'ends in .npz'),
    (('-m', 'a.npz', 'none.npz', '-o', 'out.npz'), 'none.npz')])
def test_what_cannot_be_averaged_is_one_line(models, here, arguments, words):
    before = (models / 'b.npz').read_bytes()
    assert_refused(here(average_models.main, *arguments), words)
    assert (models / 'b.npz').read_bytes() == before
