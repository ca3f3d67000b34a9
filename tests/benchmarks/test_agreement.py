import json

import numpy
import pytest

from benchmarks.agreement import Disagreement, same_volumes, same_volumes_and_scores, trained_alike
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

LIES = (1.0, 1.5, 2.0), (-10.0, 20.0, 5.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture
def folders(tmp_path):
    """Two folders of results that agree."""
    array = numpy.random.default_rng(0).random((1, 4, 5, 6), dtype=numpy.float32)
    for name in ('ours', 'others'):
        write_volume(tmp_path / name / 'LR/0000.mhd', Volume(array, *LIES))
        (tmp_path / name / 'scores.csv').write_text('case,psnr_network,ssim_network\n0000,30.5,0.9\n')
        (tmp_path / name / 'log').write_text(json.dumps([{'val/psnr': 1.0}, {'val/psnr': 30.0}]))
    return tmp_path / 'ours', tmp_path / 'others'


def _change(folder, factor=1.0, lies=LIES):
    array = numpy.random.default_rng(0).random((1, 4, 5, 6), dtype=numpy.float32)
    array[0, 1, 2, 3] *= factor
    write_volume(folder / 'LR/0000.mhd', Volume(array, *lies))


def test_what_agrees_is_accepted(folders):
    same_volumes_and_scores(*folders)
    trained_alike(*folders)


def test_rounding_is_no_difference_and_a_voxel_is_one(folders):
    _change(folders[1], 1 + 1e-6)
    same_volumes(*folders)
    _change(folders[1], 1.01)
    with pytest.raises(Disagreement, match='voxels differ'):
        same_volumes(*folders)


@pytest.mark.parametrize('number', range(3))
def test_a_volume_that_lies_elsewhere_differs(folders, number):
    lies = list(LIES)
    lies[number] = tuple(-value for value in LIES[number]) if number else (1.0, 1.5, 2.1)
    _change(folders[1], lies=lies)
    with pytest.raises(Disagreement, match='elsewhere'):
        same_volumes(*folders)


def test_a_missing_volume_and_none_at_all_differ(folders):
    (folders[1] / 'LR/0000.mhd').unlink()
    with pytest.raises(Disagreement, match='missing'):
        same_volumes(*folders)
    with pytest.raises(Disagreement, match='no volumes'):
        same_volumes(*folders[::-1])


@pytest.mark.parametrize('row', ['30.502,0.9', '30.5,0.902', 'nan,0.9'])
def test_scores_agree_to_a_thousandth(folders, row):
    (folders[1] / 'scores.csv').write_text(f'case,psnr_network,ssim_network\n0000,{row}\n')
    with pytest.raises(Disagreement, match='0000: '):
        same_volumes_and_scores(*folders)


def test_a_training_that_ends_elsewhere_differs(folders):
    (folders[1] / 'log').write_text(json.dumps([{'val/psnr': 28.0}]))
    with pytest.raises(Disagreement, match=r'30\.00 and 28\.00 dB'):
        trained_alike(*folders)
