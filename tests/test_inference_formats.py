"""inference.py takes a scan in any format and writes its like, which other programs open where the scan lies."""
import gzip
import shutil

import nibabel
import numpy
import pytest
import SimpleITK as sitk

from tests.experiment import assert_refused
from tests.test_inference import make_unsure, prepare, results, scores
from tests.util.volumes.dicom_files import save_series
from tests.util.volumes.files import affine_of, channel_images
from util.volumes.reading import read_volume
from util.volumes.volume import Volume


@pytest.fixture
def experiment(tmp_path):
    return prepare(tmp_path)


def scan(folder):
    """An oblique scan with a bright spot; its voxel, x, y, z."""
    axes, _ = numpy.linalg.qr(numpy.random.default_rng(3).normal(size=(3, 3)))
    axes *= numpy.linalg.det(axes)
    array = read_volume(folder / 'LR/0000.mhd').array.astype(numpy.int16)[:, :9, :10]
    array[0, 5, 6, 7] = 1000
    return Volume(array, (1.0, 1.5, 2.5), (-20.0, 30.0, 10.0), tuple(axes.ravel())), (7, 6, 5)


def spot(array, affine):
    """Where the centre of the brightest voxels of an array (x, y, z) lies, in mm."""
    place = numpy.argwhere(array > 0.99 * array.max()).mean(axis=0)
    return (affine @ [*place, 1])[:3]


@pytest.mark.parametrize('suffix', ['.nii.gz', '.mgz', '.nrrd', 'dicom'])
def test_the_brightest_spot_stays_where_it_is_and_the_axes_lead_where_they_led(experiment, infer, suffix):
    """At rate 2 the network of nearest neighbours makes 2 x 2 x 2 voxels of one: the last of them is on its centre."""
    volume, voxel = scan(experiment)
    image = channel_images(volume)[0]
    if suffix == 'dicom':
        save_series(experiment / 'scan', volume)
    elif suffix == '.mgz':
        nibabel.save(nibabel.MGHImage(volume.array[0].T, affine_of(volume)), experiment / 'scan.mgz')
    else:
        sitk.WriteImage(image, str(experiment / f'scan{suffix}'))
    done = infer('-i', 'scan' if suffix == 'dicom' else f'scan{suffix}')
    assert done.returncode == 0, done.stderr
    name = 'scan_x2' + ('.nii.gz' if suffix == 'dicom' else suffix)
    assert results(experiment) == {name} and f'volumes: out/{name}' in done.stdout
    if suffix == '.nrrd':
        result = sitk.ReadImage(str(experiment / 'out' / name))
        array, affine = sitk.GetArrayFromImage(result).T, affine_of(read_volume(experiment / 'out' / name))
        assert result.GetDirection() == pytest.approx(volume.direction)
    else:
        result = nibabel.load(experiment / 'out' / name)
        array, affine = result.get_fdata(), result.affine
    assert array.shape == tuple(2 * n for n in volume.size[::-1])
    assert nibabel.aff2axcodes(affine) == nibabel.aff2axcodes(affine_of(volume))
    expected = (affine_of(volume) @ [*voxel, 1])[:3] + affine[:3, :3] @ [-0.5, -0.5, -0.5]
    numpy.testing.assert_allclose(spot(array, affine), expected, atol=1e-3)


def test_a_nifti_result_keeps_its_scan_s_codes_and_says_where_it_comes_from(experiment, infer):
    make_unsure(experiment)
    volume, _ = scan(experiment)
    image = nibabel.Nifti1Image(volume.array[0].T, affine_of(volume))
    image.set_sform(affine_of(volume), 4)
    image.set_qform(affine_of(volume), 1)
    image.header.set_slope_inter(2, -7)
    nibabel.save(image, experiment / 'scan.nii')
    assert infer('-i', 'scan.nii').returncode == 0
    assert results(experiment) == {'scan_x2.nii', 'scan_x2_deviation.nii'}
    for name in results(experiment):
        header = nibabel.load(experiment / 'out' / name).header
        assert (int(header['sform_code']), int(header['qform_code'])) == (4, 1)
        assert header.get_data_dtype() == numpy.float32 and header.get_xyzt_units() == ('mm', 'sec')
        assert bytes(header['descrip']).startswith(b'3D-ESPCN gen.npz')
        numpy.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-3)


def test_a_result_is_written_where_and_as_the_user_says(experiment, infer, here):
    import inference

    arguments = inference.main, '-m', 'gen.npz', '-R', '.', '-i', 'LR/0000.mhd', '-o'
    for name in ('new/sr.nii.gz', 'sr.nrrd', 'sr.mgz', 'sr.mhd'):
        done = here(*arguments, name)
        assert done.returncode == 0 and f'volumes: {name}\n' in done.stdout, done.stderr
        numpy.testing.assert_array_equal(read_volume(experiment / name).array,
                                         read_volume(experiment / 'new/sr.nii.gz').array)
    assert_refused(here(*arguments, 'sr.mha'), '-o sr.mha: results are written as .mhd, .nii.gz')
    assert_refused(infer('-o', 'sr.nii'), '-o sr.nii: what is scored is called as its LR volume')


def test_frames_are_channels_or_the_reason_why_not(experiment, infer):
    array = read_volume(experiment / 'LR/0000.mhd').array[0].T
    nibabel.save(nibabel.Nifti1Image(numpy.stack([array, array], axis=3), numpy.eye(4)), experiment / 'scan.nii.gz')
    assert_refused(infer('-i', 'scan.nii.gz'), 'scan.nii.gz: 2 channels; this network takes 1')


def test_a_folder_of_scans_is_done_and_what_cannot_be_read_is_named(experiment, infer):
    (experiment / 'in').mkdir()
    for name in ('b', 'a'):
        sitk.WriteImage(sitk.ReadImage(str(experiment / 'LR/0000.mhd')), str(experiment / f'in/{name}.nii'))
    (experiment / 'in/c.nii').write_bytes(gzip.compress(b'no image'))
    (experiment / 'in/a.json').touch()
    done = infer('-i', 'in')
    assert done.returncode == 1 and results(experiment) == {'a_x2.nii', 'b_x2.nii'}
    assert 'passed over: a.json' in done.stderr and 'in/c.nii: ' in done.stderr and '2 of 3' in done.stderr
    assert 'volumes: out/*.nii\n' in done.stdout
    assert_refused(infer('-i', 'none'), 'none: no such file')


def test_pairs_are_scored_without_a_list_as_with_one(experiment, infer):
    (experiment / 'test_list.txt').write_text('LR/0000.mhd HR/0000.mhd\nLR/0001.mhd HR/0001.mhd\n')
    assert infer().returncode == 0
    files, table = results(experiment), (experiment / 'out/scores.csv').read_bytes()
    for kind in ('LR', 'HR'):
        (experiment / f'mine/{kind}').mkdir(parents=True)
        for name in ('0000', '0001'):
            sitk.WriteImage(sitk.ReadImage(str(experiment / f'{kind}/{name}.mhd')),
                            str(experiment / f'mine/{kind}/{name}.nrrd'))
    shutil.rmtree(experiment / 'out')
    done = infer('--pairs', 'mine/LR', 'mine/HR')
    assert done.returncode == 0, done.stderr
    assert results(experiment) == files and (experiment / 'out/scores.csv').read_bytes() == table
    done = infer('-i', 'LR/0000.mhd', '--hr', 'mine/HR/0000.nrrd')
    assert done.returncode == 0 and list(scores(experiment)) == ['0000', 'mean']


@pytest.mark.parametrize('arguments, words', [
    (('--pairs', 'LR', 'none'), '--pairs none: no such folder'),
    (('-i', 'LR/0000.mhd', '--hr', 'LR/0001.mhd'), 'LR/0000.mhd and LR/0001.mhd: sizes (1, 12, 12, 12)'),
    (('--hr', 'HR/0000.mhd'), 'there is no -i')])
def test_pairs_that_are_none_are_refused(experiment, infer, arguments, words):
    assert_refused(infer(*arguments), words)
