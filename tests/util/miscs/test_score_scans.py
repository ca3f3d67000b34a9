import nibabel
import numpy
import pytest

from models.espcn3d import ESPCN3D
from util.config_files import load_config
from util.inference.model_file import save_network
from util.miscs.score_scans import main
from util.script import PROJECT
from util.scores.consistency import data_consistency, detail_kept, dots, stripes
from util.volumes.head_mask import head_mask
from util.volumes.interpolation import upsample
from util.volumes.orientation import Lie
from util.volumes.sampling import Sampling


@pytest.fixture
def scan(make_head):
    """A scan whose thick axis is x of the file, its axes otherwise as the training's: (1, z, y, x)."""
    return make_head().array.astype(numpy.float32)


@pytest.fixture
def results(tmp_path, scan):
    """A model file, the scan, and its linear interpolation along x as the network's result."""
    config = load_config(PROJECT / 'configs/thick_slices.yml', ('degradation.name=block_mean',))
    save_network(tmp_path / 'gen.npz', ESPCN3D(config.sampling), config.to_yaml(), Lie('RAS', (1.0, 1.0, 4.0)))
    sr = upsample(scan, Sampling((1, 1, 4), (0, 0, 1.5)), 'linear')
    nibabel.save(nibabel.Nifti1Image(scan[0].T, numpy.diag([4.0, 1, 1, 1])), tmp_path / 'scan.nii')
    affine = numpy.diag([1.0, 1, 1, 1])
    affine[0, 3] = -1.5
    nibabel.save(nibabel.Nifti1Image(sr[0].T, affine), tmp_path / 'scan_x4x1x1.nii')
    return '-m', tmp_path / 'gen.npz', '-i', tmp_path / 'scan.nii', '-o', tmp_path


def test_the_table_has_the_scores_along_the_axis_that_is_thick_in_the_file(results, scan, script):
    code, printed, stderr = script(main, *results)
    assert code == 0, stderr
    rows = {line.split()[1]: line.split()[2:] for line in printed.splitlines()[1:]}
    assert rows['network'] == rows['linear'] != rows['bspline']
    for method in ('nearest', 'linear', 'bspline'):
        sampling = Sampling((1, 1, 4), (0, 0, 1.5))
        of = scan, upsample(scan, sampling, method), sampling, head_mask(scan)
        assert float(rows[method][0]) == pytest.approx(100 * data_consistency(*of), abs=0.006)
        assert float(rows[method][1]) == pytest.approx(100 * dots(*of), abs=6e-5)
        assert float(rows[method][2]) == pytest.approx(100 * stripes(*of[1:]), abs=0.006)
        assert [float(value) for value in rows[method][3:]] == pytest.approx(detail_kept(*of).tolist(), abs=0.006)


def test_the_code_of_the_network_is_not_asked_for(results, tmp_path, script):
    """inference.py has run it below a folder of the user's; what is needed here is the sampling alone."""
    _, printed, _ = script(main, *results)
    config = load_config(PROJECT / 'configs/thick_slices.yml', ('degradation.name=block_mean',
                                                               'models.generator.fn=elsewhere.py'))
    save_network(tmp_path / 'gen.npz', ESPCN3D(config.sampling), config.to_yaml(), Lie('RAS', (1.0, 1.0, 4.0)))
    assert script(main, *results) == (0, printed, '')


def test_the_one_file_that_inference_was_told_to_write_is_scored_by_its_name(results, tmp_path, script):
    _, printed, _ = script(main, *results)
    nibabel.save(nibabel.load(tmp_path / 'scan_x4x1x1.nii'), tmp_path / 'sr.nii.gz')
    (tmp_path / 'scan_x4x1x1.nii').unlink()
    code, again, stderr = script(main, *results[:-1], tmp_path / 'sr.nii.gz')
    assert (code, again.split()) == (0, printed.replace('scan_x4x1x1', 'sr').split()), stderr


def test_a_scan_that_has_no_result_does_not_cost_the_others(results, tmp_path, script):
    """inference.py could not do it, and would not if it were run again."""
    _, printed, _ = script(main, *results)
    nibabel.save(nibabel.load(tmp_path / 'scan.nii'), tmp_path / 'none.nii')
    code, again, stderr = script(main, *results[:3], tmp_path / 'none.nii', *results[3:])
    assert (code, again) == (1, printed)
    assert stderr.startswith(f'error: {tmp_path}/none_x4x1x1.nii: cannot read this result of inference.py')


def test_a_result_that_is_of_another_scan_or_is_not_there_is_told_in_one_line(results, tmp_path, script):
    nibabel.save(nibabel.load(tmp_path / 'scan.nii'), tmp_path / 'scan_x4x1x1.nii')
    code, _, stderr = script(main, *results)
    assert code == 2 and f'{tmp_path}/scan_x4x1x1.nii: not what inference.py makes of {tmp_path}/scan.nii' in stderr
    (tmp_path / 'scan_x4x1x1.nii').unlink()
    code, _, stderr = script(main, *results)
    missing = f'error: {tmp_path}/scan_x4x1x1.nii: cannot read this result of inference.py, which has to be run first'
    assert code == 2 and stderr.startswith(missing)
