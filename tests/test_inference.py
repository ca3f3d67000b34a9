"""What inference.py writes: volumes where they belong in space, right scores, pictures; and what it refuses."""
import csv

import numpy
import pytest
import SimpleITK as sitk
from matplotlib import image
from scipy.stats import norm

import inference
from models.espcn3d import ESPCN3D
from models.product import along_axes
from tests.experiment import INFERENCE_ARGUMENTS, LR_GEOMETRY, assert_refused, call, change, make_experiment
from tests.util.reports.page import Reader
from util.config_files import load_config
from util.inference.model_file import save_network
from util.reports.score_table import read_csv
from util.scores.metrics import METRICS
from util.scores.uncertainty import uncertainty_scores
from util.volumes.axis_matrices import degradation_matrix
from util.volumes.degradation import degrade
from util.volumes.geometry import lr_volume_geometry
from util.volumes.head_mask import head_mask
from util.volumes.reading import read_volume
from util.volumes.sampling import Sampling
from util.volumes.volume import Volume
from util.volumes.writing import write_volume


@pytest.fixture
def experiment(tmp_path):
    """The tiny experiment and a model that is nearest-neighbour interpolation: a residual network of zero weights."""
    return prepare(tmp_path)


def prepare(folder):
    """Make that experiment and that model in a folder."""
    make_experiment(folder)
    change(folder / 'experiment.yml', 'residual: none', 'residual: nearest')
    change(folder / 'experiment.yml', 'intensity_scaling: none', 'intensity_scaling: percentile')
    save_model(folder)
    return folder


def save_model(folder, in_channels=1):
    net = ESPCN3D(Sampling(2), in_channels, residual='nearest')
    for param in net.params():
        param.array[...] = 0
    save_network(folder / 'gen.npz', net, load_config(folder / 'experiment.yml').to_yaml())


def make_block_means(folder, name):
    """Let the network have been trained with block means too, and the LR volume of a case be of these."""
    change(folder / 'experiment.yml', 'seed: 0', 'drawn: {degradation: [bspline, block_mean]}\nseed: 0')
    hr, sampling = read_volume(folder / f'HR/{name}.mhd'), Sampling(2, (0.5, 0.5, 0.5))
    lr = degrade(hr.array, sampling.rate, 'block_mean').astype(numpy.float32)
    write_volume(folder / f'LR/{name}.mhd', Volume(lr, *lr_volume_geometry(hr, sampling)))


def results(folder):
    return {path.name for path in (folder / 'out').iterdir()} - {'.lock'}


def scores(folder, name='scores.csv'):
    with open(folder / 'out' / name, newline='', encoding='utf-8') as file:
        return {row.pop('case'): {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)}


def test_model_file_alone_gives_volume_scores_and_picture(experiment, infer):
    done = infer()
    assert done.returncode == 0, done.stderr
    assert results(experiment) == {'0001.mhd', '0001.raw', '0001.png', 'scores.csv', 'report.html'}

    sr, hr, lr = (sitk.ReadImage(str(experiment / name)) for name in ('out/0001.mhd', 'HR/0001.mhd', 'LR/0001.mhd'))
    for one, other in ((sr.GetSpacing(), hr.GetSpacing()), (sr.GetOrigin(), hr.GetOrigin()),
                       (sr.GetDirection(), hr.GetDirection()), (sr.GetSize(), hr.GetSize())):
        assert one == pytest.approx(other)
    # the scaling is undone: a network that takes the nearest LR voxel, at HR index 2 i, gives the LR's intensities
    sr, hr, lr = map(sitk.GetArrayFromImage, (sr, hr, lr))
    nearest = numpy.minimum(numpy.arange(1, 25) // 2, 11)
    numpy.testing.assert_allclose(sr, lr[numpy.ix_(nearest, nearest, nearest)], rtol=1e-6)

    row = scores(experiment)['0001']
    assert row == scores(experiment)['mean']
    assert row['rmse_network'] == pytest.approx(numpy.sqrt(numpy.mean((sr - hr) ** 2)), rel=1e-5)
    assert row['psnr_network'] == pytest.approx(20 * numpy.log10((hr.max() - hr.min()) / row['rmse_network']), abs=1e-3)
    assert {key.rsplit('_', 1)[1] for key in row} == {'network', 'nearest', 'linear', 'bspline'}
    for column in ('psnr_linear', 'ssim_network', 'psnr_head_network'):
        assert f'{row[column]:.2f}' in done.stdout
    head = head_mask(hr[None])
    assert row['rmse_head_bspline'] != row['rmse_bspline']
    assert row['rmse_head_network'] == pytest.approx(numpy.sqrt(numpy.mean((sr - hr)[head] ** 2)), rel=1e-5)

    picture = image.imread(experiment / 'out/0001.png')
    assert picture.shape[1] > picture.shape[0] > 300 and picture[..., :3].std() > 0.1


def test_cases_of_the_test_list_that_the_training_has_seen_are_named(experiment, infer):
    """Lists were made anew: the training's own list lies beside its model."""
    (experiment / 'run').mkdir()
    (experiment / 'gen.npz').rename(experiment / 'run/gen.npz')
    (experiment / 'training_list.txt').rename(experiment / 'run/training_list.txt')
    (experiment / 'training_list.txt').write_text('LR/0002.mhd HR/0002.mhd\n')
    (experiment / 'test_list.txt').write_text('LR/0001.mhd HR/0001.mhd\nLR/0000.mhd HR/0000.mhd\n')
    done = infer('-m', 'run/gen.npz')
    assert done.returncode == 0 and set(scores(experiment)) == {'0001', '0000', 'mean'}
    assert done.stderr == (f'note: {experiment}/run/training_list.txt: the training has seen cases of the test list, '
                           'whose scores are not those of new scans: 0000\n')
    assert infer('-m', 'run/gen.npz', '--pairs', 'LR', 'HR').stderr == ''  # which are named on purpose


def test_lr_volumes_of_one_s_own_need_no_list_and_no_truth(experiment, infer):
    (experiment / 'mine').mkdir()
    volume = sitk.ReadImage(str(experiment / 'LR/0000.mhd'))
    sitk.WriteImage(volume, str(experiment / 'mine/scan.nii.gz'))
    done = infer('-i', 'mine/scan.nii.gz')
    assert done.returncode == 0, done.stderr
    assert results(experiment) == {'scan_x2.nii.gz'} and 'volumes: out/scan_x2.nii.gz' in done.stdout
    sr = sitk.ReadImage(str(experiment / 'out/scan_x2.nii.gz'))
    assert sr.GetSpacing() == pytest.approx(numpy.divide(volume.GetSpacing(), 2))
    assert sr.GetOrigin() == pytest.approx(volume.GetOrigin(), abs=1e-5)
    assert sr.GetDirection() == pytest.approx(volume.GetDirection(), abs=1e-6)


def test_ensemble_averages_mirrorings_in_place(experiment, infer):
    """Nearest voxel at rate 2, LR centres on the first voxel: the others are the mean of their LR neighbours."""
    done = infer('--ensemble')
    assert done.returncode == 0, done.stderr
    sr, lr = (sitk.GetArrayFromImage(sitk.ReadImage(str(experiment / name)))
              for name in ('out/0001.mhd', 'LR/0001.mhd'))
    numpy.testing.assert_allclose(sr[::2, ::2, ::2], lr, rtol=1e-5)
    numpy.testing.assert_allclose(sr[:-1:2, :-1:2, 1:-1:2], (lr[..., :-1] + lr[..., 1:]) / 2, rtol=1e-5)


def test_a_consistent_result_is_one_that_the_lr_volume_is_made_of(experiment, infer):
    """With LR voxels where the model has them: centred on the first of a block. And it comes nearer to the truth."""
    assert infer().returncode == 0
    before = scores(experiment)['0001']['rmse_network']
    hr = read_volume(experiment / 'HR/0001.mhd').array
    matrices = [degradation_matrix(24, 2, 0, 'gaussian', fwhm=0.8)] * 3
    write_volume(experiment / 'LR/0001.mhd', Volume(along_axes(hr, matrices), *LR_GEOMETRY))
    done = infer('--consistent', '{name: gaussian, fwhm: 0.8}')
    assert done.returncode == 0, done.stderr
    sr, lr = (read_volume(experiment / name).array for name in ('out/0001.mhd', 'LR/0001.mhd'))
    numpy.testing.assert_allclose(along_axes(sr, matrices), lr, atol=1e-3)
    assert scores(experiment)['0001']['rmse_network'] < 0.8 * before


def test_the_report_shows_each_pair_where_its_own_lr_voxels_lie(experiment, infer):
    """A block mean's lie half an HR voxel from those of the network, on each axis."""
    make_block_means(experiment, '0001')
    save_model(experiment)
    (experiment / 'test_list.txt').write_text('LR/0001.mhd HR/0001.mhd\nLR/0002.mhd HR/0002.mhd\n')
    done = infer()
    assert done.returncode == 0 and 'LR/0001.mhd: its voxels are centred elsewhere' in done.stderr, done.stderr
    views = Reader((experiment / 'out/report.html').read_text(encoding='utf-8')).views
    assert {view['name']: view['offset'] for view in views} == {'0001': [0.5] * 3, '0002': [0.0] * 3}


@pytest.mark.parametrize('arguments, words', [
    (['nonsense'], '--consistent nonsense: degradation.name: allowed: bspline, block_mean, gaussian, kspace'),
    ([''], "--consistent '': the name of a degradation is wanted (bspline, block_mean, gaussian, kspace, "
     "zero_filled), or"),
    (['{}'], "--consistent '{}': the name of a degradation is wanted"),
    (['[bspline]'], "--consistent '[bspline]': the name of a degradation is wanted"),
    (['{name: bspline, noise_sigma: 3}'], 'leave noise_sigma out'),
    (['kspace', '--interval', '95'], 'the intervals that calibrate.py learns hold without --consistent')])
def test_what_a_result_cannot_be_consistent_with_is_refused(experiment, infer, arguments, words):
    assert_refused(infer('--consistent', *arguments), words)


def test_like_input_keeps_type_and_range(experiment, infer):
    with numpy.load(experiment / 'gen.npz') as archive:
        arrays = dict(archive)
    arrays['conv3/b'] = numpy.linspace(-0.3, 0.3, 8, dtype=numpy.float32)  # leaves the LR's range at both ends
    numpy.savez(experiment / 'gen.npz', **arrays)
    (experiment / 'mine').mkdir()
    volume = sitk.Cast(sitk.ReadImage(str(experiment / 'LR/0000.mhd')), sitk.sitkInt16)
    sitk.WriteImage(volume, str(experiment / 'mine/scan.nii.gz'))
    images = []
    for arguments in ((), ('--like-input',)):
        done = infer('-i', 'mine/scan.nii.gz', *arguments)
        assert done.returncode == 0, done.stderr
        images.append(sitk.GetArrayFromImage(sitk.ReadImage(str(experiment / 'out/scan_x2.nii.gz'))))
    plain, like = images
    lr = sitk.GetArrayFromImage(volume)
    assert (plain.dtype, like.dtype) == (numpy.float32, numpy.int16)
    assert plain.min() < lr.min() and plain.max() > lr.max()
    numpy.testing.assert_array_equal(like, numpy.rint(plain).clip(lr.min(), lr.max()))


def test_a_bare_model_takes_its_experiment_from_the_config(experiment, infer):
    with numpy.load(experiment / 'gen.npz') as archive:
        arrays = {name: archive[name] for name in archive.files if '/' in name}
    numpy.savez(experiment / 'gen.npz', **arrays)
    done = infer('-c', 'experiment.yml')
    assert done.returncode == 0, done.stderr
    assert_refused(infer(), 'conv3/W has shape (8, 100, 3, 3, 3); this network needs (64, 100, 3, 3, 3)')


def test_a_config_that_contradicts_the_model_is_refused(experiment, infer):
    change(experiment / 'experiment.yml', 'intensity_scaling: percentile', 'intensity_scaling: none')
    assert_refused(infer('-c', 'experiment.yml'), 'intensity_scaling is not what gen.npz was trained for')


def test_negative_volumes_without_scaling_are_scored_and_drawn(experiment, infer):
    """As CT has them."""
    for path in (*experiment.glob('LR/*.mhd'), *experiment.glob('HR/*.mhd')):
        volume = read_volume(path)
        write_volume(path, Volume(volume.array - 1000, volume.spacing, volume.origin, volume.direction))
    change(experiment / 'experiment.yml', 'intensity_scaling: percentile', 'intensity_scaling: none')
    save_model(experiment)
    done = infer()
    assert done.returncode == 0, done.stderr
    assert results(experiment) == {'0001.mhd', '0001.raw', '0001.png', 'scores.csv', 'report.html'}


UNSURE = '''"""A network that is as sure of its mean as a tenth of it."""
from chainer.distributions import Normal
from models.espcn3d import ESPCN3D


class Unsure(ESPCN3D):
    def forward(self, x):
        mean = super().forward(x)
        return Normal(mean, abs(mean) / 10 + 0.01)
'''


def make_unsure(folder):
    """Let the model be one that predicts a deviation; returns the text of its experiment."""
    (folder / 'unsure.py').write_text(UNSURE)
    plain = load_config(folder / 'experiment.yml').to_yaml()
    for old, new in (('fn: models/espcn3d.py', 'fn: unsure.py'), ('name: ESPCN3D', 'name: Unsure')):
        change(folder / 'experiment.yml', old, new)
    save_model(folder)
    return plain


def test_a_predicted_deviation_is_scored_and_drawn(experiment, infer):
    make_unsure(experiment)
    done = infer()
    assert done.returncode == 0, done.stderr
    assert results(experiment) == {'0001.mhd', '0001.raw', '0001_deviation.mhd', '0001_deviation.raw', '0001.png',
                                   'scores.csv', '0001_uncertainty.png', 'uncertainty.csv', 'report.html'}
    sr, hr, deviation = (read_volume(experiment / name).array
                         for name in ('out/0001.mhd', 'HR/0001.mhd', 'out/0001_deviation.mhd'))
    head = head_mask(hr)
    expected, _ = uncertainty_scores(hr, sr, deviation, head)
    rows = read_csv(experiment / 'out/uncertainty.csv')
    assert rows == {'0001': pytest.approx(expected)}
    assert rows['0001']['coverage50_head'] == pytest.approx(
        numpy.mean((numpy.abs(sr - hr) <= norm.ppf(0.75) * deviation)[:, head]))
    assert f'{expected["nll_head"]:.3f}' in done.stdout and 'uncertainty.csv' in done.stdout
    assert scores(experiment)['0001'].keys() == {f'{metric}_{method}' for metric in METRICS
                                                 for method in ('network', 'nearest', 'linear', 'bspline')}
    for name in ('0001.png', '0001_uncertainty.png'):
        assert image.imread(experiment / 'out' / name)[..., :3].std() > 0.05


def test_a_snapshot_is_not_taken_for_a_model(experiment, infer, here):
    numpy.savez(experiment / 'snapshot_iter_3.npz', entries_that_are_none=numpy.array('[]'))
    assert_refused(here(inference.main, '-m', 'snapshot_iter_3.npz', '-c', 'experiment.yml', '-o', 'out'),
                   'a snapshot; go on from it with --resume, or give the gen_iter_N.npz')


@pytest.mark.parametrize('arguments, words', [
    (('-i', 'none.nii.gz'), 'none.nii.gz: no such file'),
    (('-c', 'none.yml'), 'none.yml: cannot read this config'),
    (('-g', '99'), '-g 99: '),
])
def test_a_wrong_argument_is_one_line(experiment, infer, arguments, words):
    assert_refused(infer(*arguments), words)


def test_the_process_ends_with_exit_code_2_and_one_line(experiment):
    done = call(experiment, 'inference.py', *INFERENCE_ARGUMENTS, '-i', 'none.nii.gz')
    assert_refused(done, 'none.nii.gz: no such file')


def test_volumes_of_two_channels_come_out_with_two_and_are_scored_and_drawn(experiment, infer):
    for path in (*experiment.glob('LR/*.mhd'), *experiment.glob('HR/*.mhd')):
        one = read_volume(path)
        write_volume(path, Volume(numpy.concatenate([one.array, 500 - one.array]), one.spacing, one.origin,
                                  one.direction))
    assert_refused(infer(), 'LR/0001.mhd: 2 channels; this network takes 1')
    change(experiment / 'experiment.yml', 'in_channels: 1', 'in_channels: 2')
    save_model(experiment, 2)
    done = infer()
    assert done.returncode == 0, done.stderr
    sr, hr = read_volume(experiment / 'out/0001.mhd'), read_volume(experiment / 'HR/0001.mhd')
    assert sr.array.shape == hr.array.shape == (2, 24, 24, 24)
    numpy.testing.assert_allclose(sr.array[1], 500 - sr.array[0], rtol=1e-4)
    rmse = numpy.sqrt(numpy.mean((sr.array - hr.array).astype(float) ** 2, axis=(1, 2, 3)))
    assert scores(experiment)['0001']['rmse_network'] == pytest.approx(rmse.mean(), rel=1e-4)
    channels = scores(experiment, '0001_channels.csv')
    assert [channels[name]['rmse_network'] for name in ('channel 1', 'channel 2')] == pytest.approx(rmse, rel=1e-4)
    assert channels['mean'] == scores(experiment)['0001'] and len(channels) == 3
    picture = image.imread(experiment / 'out/0001.png')
    assert picture.shape[0] > picture.shape[1]  # six rows of pictures instead of three


def test_a_model_file_that_names_code_elsewhere_is_refused_and_runs_nothing(experiment, infer):
    """By an absolute path or upwards; the user may give the experiment by hand."""
    (experiment / 'evil.py').write_text('import pathlib\npathlib.Path("hit").touch()\n'
                                        'from models.espcn3d import ESPCN3D\n')
    config = load_config(experiment / 'experiment.yml').to_yaml()
    for fn in (str(experiment / 'evil.py'), '../evil.py', 'models/../../evil.py'):
        text = config.replace('models/espcn3d.py', fn)
        save_network(experiment / 'gen.npz', ESPCN3D(Sampling(2), residual='nearest'), text)
        assert_refused(infer('-i', 'LR/0000.mhd'), f'gen.npz: its experiment names the code {fn}; a model file may')
        assert not (experiment / 'hit').exists()
    (experiment / 'trusted.yml').write_text(text.replace(fn, str(experiment / 'evil.py')))
    save_network(experiment / 'gen.npz', ESPCN3D(Sampling(2), residual='nearest'),
                 (experiment / 'trusted.yml').read_text())
    done = infer('-i', 'LR/0000.mhd', '-c', 'trusted.yml')
    assert done.returncode == 0 and (experiment / 'hit').exists()
