"""Volumes of six channels with signs, as diffusion tensors have them, from the files to a network and its results."""
import nibabel
import numpy
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

import inference
from tests.experiment import assert_refused, change, make_experiment
from tests.test_inference import UNSURE, scores
from tests.util.volumes.files import affine_of
from util.config_files import load_config
from util.dataset.pairs_info import write_pairs_info
from util.reports.score_table import read_csv
from util.scores.metrics import channel_scores
from util.scores.uncertainty import channel_uncertainty
from util.volumes.head_mask import head_mask
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import write_volume


@pytest.fixture
def tensors(tmp_path):
    """The tiny experiment with volumes of six channels, three of them about 0, and a network that is unsure."""
    make_experiment(tmp_path, channels=6)
    rng = numpy.random.default_rng(0)
    for path in sorted(tmp_path.glob('HR/*.mhd')):
        hr = read_volume(path)
        array = gaussian_filter(rng.normal(size=hr.array.shape), (0, 2, 2, 2)).astype(numpy.float32)
        array[[0, 2, 5]] += 0.8
        array[:, :4] = 0
        lr = read_volume(tmp_path / 'LR' / path.name)
        write_volume(path, Volume(array, hr.spacing, hr.origin, hr.direction))
        write_volume(tmp_path / 'LR' / path.name, Volume(array[:, ::2, ::2, ::2], lr.spacing, lr.origin, lr.direction))
    (tmp_path / 'unsure.py').write_text(UNSURE)
    for old, new in (('fn: models/espcn3d.py', 'fn: unsure.py'), ('name: ESPCN3D', 'name: Unsure'),
                     ('intensity_scaling: none', 'intensity_scaling: deviation'), ('flip: together', 'flip: none')):
        change(tmp_path / 'experiment.yml', old, new)
    return tmp_path


def test_six_channels_go_through_training_and_inference_and_each_has_scores(tensors, train_and_draw, infer):
    assert train_and_draw().returncode == 0
    (tensors / 'run/gen_iter_6.npz').rename(tensors / 'gen.npz')
    done = infer()
    assert done.returncode == 0, done.stderr
    hr, sr, deviation = (read_volume(tensors / name).array
                         for name in ('HR/0001.mhd', 'out/0001.mhd', 'out/0001_deviation.mhd'))
    assert hr.shape == sr.shape == deviation.shape and len(hr) == 6
    table, head = scores(tensors, '0001_channels.csv'), head_mask(hr)
    own = channel_scores(hr, {'network': sr}, head)
    for number, scored in enumerate(own, 1):
        assert table[f'channel {number}']['psnr_head_network'] == pytest.approx(scored['network']['psnr_head'])
    assert table['mean'] == scores(tensors)['0001']
    unsure, _ = channel_uncertainty(hr, sr, deviation, head)
    assert list(read_csv(tensors / 'out/0001_uncertainty_channels.csv').values()) == [
        pytest.approx(scored, nan_ok=True) for scored in unsure]

    # the same volume as the frames of a NIfTI file and as the vectors of an NRRD file
    lr = read_volume(tensors / 'LR/0001.mhd')
    nibabel.save(nibabel.Nifti1Image(lr.array.transpose(3, 2, 1, 0), affine_of(lr)), tensors / 'frames.nii.gz')
    sitk.WriteImage(sitk.ReadImage(str(tensors / 'LR/0001.mhd')), str(tensors / 'vectors.nrrd'))
    assert infer('-i', 'frames.nii.gz', 'vectors.nrrd').returncode == 0
    for name in ('frames_x2.nii.gz', 'vectors_x2.nrrd'):
        numpy.testing.assert_allclose(read_volume(tensors / 'out' / name).array, sr, atol=1e-5)
    assert nibabel.load(tensors / 'out/frames_x2.nii.gz').shape[3] == 6
    assert sitk.ReadImage(str(tensors / 'out/vectors_x2.nrrd')).GetNumberOfComponentsPerPixel() == 6


def test_tensors_are_mirrored_neither_in_training_nor_in_an_ensemble(tensors, train, infer, here, monkeypatch):
    train()
    (tensors / 'run/gen_iter_6.npz').rename(tensors / 'gen.npz')
    write_pairs_info(tensors, load_config(tensors / 'experiment.yml'), ['0000', '0001', '0002'], True, tensors=True)
    assert_refused(infer('--ensemble'), 'LR/0001.mhd: a volume of diffusion tensors, which cannot be mirrored')
    assert infer().returncode == 0
    change(tensors / 'experiment.yml', 'flip: none', 'flip: together')
    assert_refused(train(out='other'), 'are diffusion tensors, and flip is together; allowed: none, tensors')
    monkeypatch.chdir(tensors / 'LR')
    assert_refused(here(inference.main, '-m', '../gen.npz', '-R', '..', '-i', '0001.mhd', '-o', '../out', '--ensemble'),
                   '0001.mhd: a volume of diffusion tensors, which cannot be mirrored')
