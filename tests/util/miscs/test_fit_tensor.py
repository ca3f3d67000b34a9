import sys

import numpy
import pytest

from tests.util.dataset.diffusion import BVALS, RAS, VECTORS, ball, save_series, signals, tensor_field
from util.config_files import load_config
from util.dataset.case_lists import read_list
from util.dataset.pairs import load_pairs
from util.dataset.pairs_info import read_pairs_info
from util.dataset.tensor_pairs import fit_tensors
from util.miscs import make_lists
from util.miscs.fit_tensor import main
from util.script import PROJECT, UserError
from util.volumes.geometry import check_pair
from util.volumes.reading import read_volume
from util.volumes.sampling import Sampling
from util.volumes.tensors import brain_of

CONFIG = PROJECT / 'configs/dti_x2.yml'
SIZE, INSIDE = (21, 18, 16), ball((21, 18, 16))


@pytest.fixture
def raw(tmp_path):
    """Three series of known tensors, one of them named as BIDS has it; sizes that 2 does not divide."""
    for seed, name in enumerate(('a', 'b', 'sub-01/dwi/sub-01_dwi')):
        save_series(tmp_path / f'raw/{name}.nii.gz', signals(tensor_field(SIZE, seed), INSIDE))
    return tmp_path / 'raw'


def test_pairs_of_known_tensors_go_to_the_lists_and_into_a_training(raw, tmp_path, script):
    out = tmp_path / 'dti'
    code, said, notes = script(main, '-i', raw, '-o', out)
    assert code == 0 and '3 pairs of tensors' in said and 'a.nii.gz: HR: ' in notes
    lr, hr = (read_volume(out / kind / 'a.mhd') for kind in ('LR', 'HR'))
    assert lr.array.shape == (6, 8, 9, 10) and hr.array.shape == (6, 16, 18, 20)
    check_pair(lr, hr, Sampling(2, (0.5, 0.5, 0.5)), ('LR', 'HR'))
    # LAS to LPS: y is reversed, and with it the signs of Dxy and Dyz
    field = tensor_field(SIZE)[..., ::-1, :].transpose(0, 3, 2, 1)[..., :20] * numpy.reshape(
        [1, -1, 1, 1, -1, 1], (6, 1, 1, 1))
    brain = brain_of(hr.array)
    inside = INSIDE[:20, ::-1].T & brain
    assert inside.sum() > 0.9 * brain.sum()
    numpy.testing.assert_allclose(hr.array[:, inside], field[:, inside], atol=1e-5)

    # LR is fitted to the mean signals, by another way than the script's
    images = signals(tensor_field(SIZE), INSIDE)[:20, ::-1].transpose(3, 2, 1, 0)
    means = images.reshape(13, 8, 2, 9, 2, 10, 2).mean(axis=(2, 4, 6))
    own = brain_of(lr.array)
    numpy.testing.assert_array_equal(brain, own.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    expected, _ = fit_tensors(means, own, BVALS, VECTORS * [1, -1, 1])
    numpy.testing.assert_allclose(lr.array, expected, atol=1e-4)
    whole = brain.reshape(8, 2, 9, 2, 10, 2).all(axis=(1, 3, 5))
    mean = hr.array.reshape(6, 8, 2, 9, 2, 10, 2).mean(axis=(2, 4, 6))
    assert 1e-4 < numpy.abs(lr.array - mean)[:, whole].max() < 0.1  # near the mean of the tensors, and not it

    assert read_pairs_info(out) == {
        'upsampling_rate': [2, 2, 2], 'degradation': {'name': 'block_mean', 'noise_sigma': 0.0}, 'seed': 0,
        'cases': ['a', 'b', 'sub-01_dwi'], 'complete': True, 'tensors': True,
        'subjects': {'a': 'a', 'b': 'b', 'sub-01_dwi': 'sub-01'}}
    assert not make_lists.main(['-i', str(out), '--val', 'b', '--test', 'a', '-o', str(tmp_path)])
    case, = read_list(tmp_path / 'training_list.txt', PROJECT)
    assert case.name == 'sub-01_dwi'
    pairs = load_pairs(tmp_path / 'training_list.txt', load_config(CONFIG, ['intensity_scaling=deviation']), PROJECT)
    small, _ = pairs.arrays[0]
    assert [channel[channel != 0].std() for channel in small] == pytest.approx([1] * 6, rel=1e-5)
    with pytest.raises(UserError, match='are diffusion tensors, and flip is x; allowed: none, tensors'):
        load_pairs(tmp_path / 'training_list.txt', load_config(CONFIG, ['flip=x']), PROJECT)


def test_the_same_brain_stored_the_other_way_gives_the_same_tensors(tmp_path, script):
    images = signals(tensor_field(SIZE), INSIDE)
    save_series(tmp_path / 'raw/las.nii.gz', images)
    # x reversed in memory: RAS. FSL's vectors have x reversed for such an image, and so the file's are the same
    affine = RAS.copy()
    affine[0, 3] = -2.0 * 20
    save_series(tmp_path / 'raw/ras.nii.gz', images[::-1], affine)
    assert script(main, '-i', tmp_path / 'raw', '-o', tmp_path / 'dti')[0] == 0
    one, other = (read_volume(tmp_path / f'dti/HR/{name}.mhd') for name in ('las', 'ras'))
    assert one.origin == pytest.approx(other.origin) and one.direction == other.direction
    numpy.testing.assert_allclose(one.array, other.array, atol=1e-6)


def test_faults_are_one_line_and_touch_nothing(raw, tmp_path, script, monkeypatch):
    out = tmp_path / 'dti'
    (raw / 'b.bvec').unlink()
    code, _, err = script(main, '-i', raw, '-o', out)
    assert code == 2 and len(err.splitlines()) == 1 and 'b.nii.gz: its b.bvec cannot be read' in err
    assert not out.exists()
    code, _, err = script(main, '-i', tmp_path / 'none', '-o', out)
    assert code == 2 and 'none: no such folder' in err
    (tmp_path / 'empty').mkdir()
    code, _, err = script(main, '-i', tmp_path / 'empty', '-o', out)
    assert code == 2 and 'no diffusion series there' in err
    for size, brain, words in (((21, 3, 16), 12, 'a volume of (8, 1, 10) voxels (z, y, x) is none'),
                               ((9, 9, 9), 1, 'b.nii.gz: no brain can be found in its diffusion images')):
        save_series(raw / 'b.nii.gz', signals(tensor_field(size), numpy.indices(size)[0] < brain))
        code, _, err = script(main, '-c', CONFIG, '-i', raw, '-o', out)
        assert code == 2 and err.splitlines()[-1].startswith('error: ') and words in err
    assert read_pairs_info(out)['complete'] is False
    monkeypatch.setitem(sys.modules, 'dipy.reconst.dti', None)
    code, _, err = script(main, '-i', raw, '-o', out)
    assert code == 2 and 'install it with: pip install dipy' in err
