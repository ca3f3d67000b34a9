"""What inference.py writes: volumes where they belong in space, right scores, pictures; and what it refuses."""
import csv

import numpy
import pytest
import SimpleITK as sitk
from matplotlib import image

from models.espcn3d import ESPCN3D
from tests.experiment import assert_refused, call, change, make_experiment
from util.config import load_config
from util.head_mask import head_mask
from util.network import save_network


@pytest.fixture
def experiment(tmp_path):
    """The tiny experiment and a model that is nearest-neighbour interpolation: a residual network of zero weights."""
    make_experiment(tmp_path)
    change(tmp_path / 'experiment.yml', 'residual: none', 'residual: nearest')
    change(tmp_path / 'experiment.yml', 'intensity_scaling: none', 'intensity_scaling: percentile')
    net = ESPCN3D(1, 2, residual='nearest')
    for param in net.params():
        param.array[...] = 0
    save_network(tmp_path / 'gen.npz', net, load_config(tmp_path / 'experiment.yml'))
    return tmp_path


def infer(folder, *arguments):
    return call(folder, 'inference.py', '-m', 'gen.npz', '-R', '.', '-o', 'out', *arguments)


def scores(folder):
    with open(folder / 'out/scores.csv', newline='', encoding='utf-8') as file:
        return {row.pop('case'): {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)}


def test_model_file_alone_gives_volume_scores_and_picture(experiment):
    done = infer(experiment)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (experiment / 'out').iterdir()} == {'0001.mhd', '0001.raw', '0001.png', 'scores.csv'}

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
    head = head_mask(hr)
    assert row['rmse_head_bspline'] != row['rmse_bspline']
    assert row['rmse_head_network'] == pytest.approx(numpy.sqrt(numpy.mean((sr - hr)[head] ** 2)), rel=1e-5)

    picture = image.imread(experiment / 'out/0001.png')
    assert picture.shape[1] > picture.shape[0] > 300 and picture[..., :3].std() > 0.1


def test_lr_volumes_of_one_s_own_need_no_list_and_no_truth(experiment):
    (experiment / 'mine').mkdir()
    volume = sitk.ReadImage(str(experiment / 'LR/0000.mhd'))
    sitk.WriteImage(volume, str(experiment / 'mine/scan.nii.gz'))
    done = infer(experiment, '-i', 'mine/scan.nii.gz')
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (experiment / 'out').iterdir()} == {'scan.mhd', 'scan.raw'}
    sr = sitk.ReadImage(str(experiment / 'out/scan.mhd'))
    assert sr.GetSpacing() == pytest.approx(numpy.divide(volume.GetSpacing(), 2))
    assert sr.GetOrigin() == pytest.approx(volume.GetOrigin())
    assert sr.GetDirection() == pytest.approx(volume.GetDirection())


def test_ensemble_averages_mirrorings_in_place(experiment):
    """Nearest voxel at rate 2, LR centres on the first voxel: the others are the mean of their LR neighbours."""
    done = infer(experiment, '--ensemble')
    assert done.returncode == 0, done.stderr
    sr, lr = (sitk.GetArrayFromImage(sitk.ReadImage(str(experiment / name)))
              for name in ('out/0001.mhd', 'LR/0001.mhd'))
    numpy.testing.assert_allclose(sr[::2, ::2, ::2], lr, rtol=1e-5)
    numpy.testing.assert_allclose(sr[:-1:2, :-1:2, 1:-1:2], (lr[..., :-1] + lr[..., 1:]) / 2, rtol=1e-5)


def test_like_input_keeps_type_and_range(experiment):
    with numpy.load(experiment / 'gen.npz') as archive:
        arrays = dict(archive)
    arrays['conv3/b'] = numpy.linspace(-0.3, 0.3, 8, dtype=numpy.float32)  # leaves the LR's range at both ends
    numpy.savez(experiment / 'gen.npz', **arrays)
    (experiment / 'mine').mkdir()
    volume = sitk.Cast(sitk.ReadImage(str(experiment / 'LR/0000.mhd')), sitk.sitkInt16)
    sitk.WriteImage(volume, str(experiment / 'mine/scan.nii.gz'))
    images = []
    for arguments in ((), ('--like-input',)):
        done = infer(experiment, '-i', 'mine/scan.nii.gz', *arguments)
        assert done.returncode == 0, done.stderr
        images.append(sitk.GetArrayFromImage(sitk.ReadImage(str(experiment / 'out/scan.mhd'))))
    plain, like = images
    lr = sitk.GetArrayFromImage(volume)
    assert (plain.dtype, like.dtype) == (numpy.float32, numpy.int16)
    assert plain.min() < lr.min() and plain.max() > lr.max()
    numpy.testing.assert_array_equal(like, numpy.rint(plain).clip(lr.min(), lr.max()))


def test_a_bare_model_takes_its_experiment_from_the_config(experiment):
    with numpy.load(experiment / 'gen.npz') as archive:
        arrays = {name: archive[name] for name in archive.files if '/' in name}
    numpy.savez(experiment / 'gen.npz', **arrays)
    done = infer(experiment, '-c', 'experiment.yml')
    assert done.returncode == 0, done.stderr
    assert_refused(infer(experiment), 'conv3/W has shape (8, 100, 3, 3, 3); this network needs (64, 100, 3, 3, 3)')


def test_a_config_that_contradicts_the_model_is_refused(experiment):
    change(experiment / 'experiment.yml', 'intensity_scaling: percentile', 'intensity_scaling: none')
    assert_refused(infer(experiment, '-c', 'experiment.yml'), 'intensity_scaling is not what gen.npz was trained for')


def test_two_inputs_of_one_name_are_refused(experiment):
    assert_refused(infer(experiment, '-i', 'LR/0000.mhd', 'HR/0000.mhd'), 'written under one name: 0000, 0000')


@pytest.mark.parametrize('arguments, words', [
    (('-i', 'none.nii.gz'), 'none.nii.gz: no such file'),
    (('-c', 'none.yml'), 'none.yml: cannot read this config'),
    (('-g', '99'), '-g 99: '),
])
def test_a_wrong_argument_is_one_line(experiment, arguments, words):
    assert_refused(infer(experiment, *arguments), words)
