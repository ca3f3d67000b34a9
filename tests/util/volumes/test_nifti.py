"""A NIfTI, Analyze or MGH header means here what it means to nibabel."""
import gzip

import nibabel
import numpy
import pytest
import scipy.io

from tests.util.volumes.files import affine_of, refusal
from tests.util.volumes.nifti_files import AFFINES, SHAPE, assert_nibabel, save, voxels
from util.volumes.reading import read_volume

FORMATS = {'.nii': nibabel.Nifti1Image, '.nii.gz': nibabel.Nifti1Image, '-2.nii': nibabel.Nifti2Image,
           '-2.nii.gz': nibabel.Nifti2Image, '.hdr': nibabel.Nifti1Pair, '.img.gz': nibabel.Nifti1Pair,
           '-2.hdr': nibabel.Nifti2Pair, '.mgh': nibabel.MGHImage, '.mgz': nibabel.MGHImage}


@pytest.mark.parametrize('affine', AFFINES)
@pytest.mark.parametrize('end', FORMATS)
def test_every_format_lies_where_nibabel_puts_it(tmp_path, capfd, end, affine):
    path = save(tmp_path / f'a{end}', affine=affine, klass=FORMATS[end])
    volume = assert_nibabel(path)
    assert volume.size == SHAPE[::-1] and volume.array.dtype == numpy.int16
    numpy.testing.assert_array_equal(volume.array[0], voxels().T)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('affine', AFFINES)
@pytest.mark.parametrize('sform, qform', [(1, 0), (0, 1), (2, 3), (0, 0), (4, 1)])
@pytest.mark.parametrize('klass', [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_sform_qform_both_or_neither(tmp_path, capfd, klass, sform, qform, affine):
    image = klass(voxels(), AFFINES[affine])
    image.set_sform(AFFINES[affine], sform)
    image.set_qform(AFFINES[affine], qform)
    nibabel.save(image, tmp_path / 'a.nii')
    volume = assert_nibabel(tmp_path / 'a.nii')
    if sform or qform:
        numpy.testing.assert_allclose(affine_of(volume), AFFINES[affine], atol=1e-5)
    else:  # the voxels' size, and zero in the middle
        assert volume.direction == (1, 0, 0, 0, -1, 0, 0, 0, 1)
    out, err = capfd.readouterr()
    assert out == '' and err.count('note: ') == err.count('a.nii: its header says not where its axes go') == (
        not (sform or qform))


def test_spacing_origin_and_direction_are_itk_s(tmp_path):
    volume = read_volume(save(tmp_path / 'a.nii', affine='straight'))
    assert volume.spacing == (2.0, 1.5, 1.0) and volume.origin == (70.0, -20.0, 5.0)
    assert volume.direction == (-1, 0, 0, 0, -1, 0, 0, 0, 1)


@pytest.mark.parametrize('klass', [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize('dtype', ['u1', 'i1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f4', 'f8'])
def test_stored_types_are_kept_in_either_byte_order(tmp_path, klass, dtype):
    for swapped in (False, True):
        array = voxels(dtype).astype(numpy.dtype(dtype).newbyteorder('>' if swapped else '<'))
        header = klass.header_class(endianness='>' if swapped else '<')
        header.set_data_dtype(array.dtype)
        nibabel.save(klass(array, AFFINES['oblique'], header), tmp_path / 'a.nii')
        volume = assert_nibabel(tmp_path / 'a.nii')
        assert volume.array.dtype == numpy.dtype(dtype)
        numpy.testing.assert_array_equal(volume.array[0], voxels(dtype).T)


@pytest.mark.parametrize('slope, intercept, scaled', [
    (0.5, 3, True), (1, 7, True), (2, 0, True), (1, 0, False), (0, 7, False), (numpy.nan, 7, False),
    (numpy.inf, 0, False), (-1.5, 100, True)])
@pytest.mark.parametrize('dtype', ['int16', 'float32'])
def test_a_slope_is_applied_and_one_of_0_means_stored_values(tmp_path, dtype, slope, intercept, scaled):
    path = save(tmp_path / 'a.nii', voxels(dtype), vox_offset=352, scl_slope=slope, scl_inter=intercept)
    volume = assert_nibabel(path)
    if scaled:
        numpy.testing.assert_allclose(volume.array[0], voxels(dtype).T.astype(float) * slope + intercept)
    else:
        assert volume.array.dtype == dtype
        numpy.testing.assert_array_equal(volume.array[0], voxels(dtype).T)


@pytest.mark.parametrize('slope, said', [(1e300, 'not finite'), (1e308, 'not finite'), (3e30, None), (1e35, None)])
def test_a_slope_that_overflows_is_one_line_or_finite(tmp_path, slope, said):
    path = save(tmp_path / 'a.nii', klass=nibabel.Nifti2Image, vox_offset=544, scl_slope=slope, scl_inter=0)
    if said:
        assert said in refusal(path)
    else:
        assert assert_nibabel(path).array.dtype == numpy.float64


@pytest.mark.parametrize('klass', [nibabel.AnalyzeImage, nibabel.Spm99AnalyzeImage, nibabel.Spm2AnalyzeImage])
@pytest.mark.parametrize('swapped', [False, True])
def test_analyze_lies_where_nibabel_puts_it(tmp_path, klass, swapped):
    header = klass.header_class(endianness='>' if swapped else '<')
    header.set_data_dtype(numpy.int16)
    image = klass(voxels(), numpy.diag([-2, 1.5, 1, 1]), header)
    nibabel.save(image, tmp_path / 'a.img')
    for name in ('a.hdr', 'a.img'):
        assert_nibabel(tmp_path / name)
    (tmp_path / 'a.mat').unlink(missing_ok=True)
    volume = assert_nibabel(tmp_path / 'a.hdr')
    assert volume.direction == (1, 0, 0, 0, -1, 0, 0, 0, 1) and volume.spacing == (2, 1.5, 1)


def test_the_affine_of_spm_s_mat_file_is_used(tmp_path):
    nibabel.save(nibabel.Spm2AnalyzeImage(voxels(), AFFINES['oblique']), tmp_path / 'a.img')
    numpy.testing.assert_allclose(affine_of(assert_nibabel(tmp_path / 'a.hdr')), AFFINES['oblique'], atol=1e-6)
    scipy.io.savemat(tmp_path / 'a.mat', {'mat': AFFINES['left-handed']}, format='4')
    assert_nibabel(tmp_path / 'a.hdr')


def test_a_pair_of_files_may_be_packed_or_not(tmp_path):
    save(tmp_path / 'a.hdr', klass=nibabel.Nifti1Pair)
    for name in ('a.hdr', 'a.img'):
        (tmp_path / f'{name}.gz').write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        (tmp_path / name.upper()).write_bytes((tmp_path / name).read_bytes())
    for name in ('a.hdr', 'a.img', 'a.hdr.gz', 'a.img.gz', 'A.HDR', 'A.IMG'):
        numpy.testing.assert_array_equal(read_volume(tmp_path / name).array[0], voxels().T)


@pytest.mark.parametrize('shape', [(*SHAPE, 3), (*SHAPE, 1, 3), (*SHAPE, 1, 1, 3), (*SHAPE, 1), (*SHAPE, 3, 1, 1)])
def test_one_further_axis_becomes_channels(tmp_path, shape):
    array = voxels(shape=shape)
    nibabel.save(nibabel.Nifti1Image(array, AFFINES['oblique']), tmp_path / 'a.nii.gz')
    volume = assert_nibabel(tmp_path / 'a.nii.gz')
    numpy.testing.assert_array_equal(volume.array, array.reshape(*SHAPE, -1).transpose(3, 2, 1, 0))


def test_frames_of_an_mgh_file_become_channels(tmp_path):
    nibabel.save(nibabel.MGHImage(voxels(shape=(*SHAPE, 3)), AFFINES['oblique']), tmp_path / 'a.mgz')
    assert assert_nibabel(tmp_path / 'a.mgz').array.shape == (3, 5, 6, 7)


def test_an_mgh_file_without_a_place_gets_freesurfer_s(tmp_path):
    nibabel.save(nibabel.MGHImage(voxels(), AFFINES['oblique']), tmp_path / 'a.mgh')
    content = bytearray((tmp_path / 'a.mgh').read_bytes())
    content[28:30] = b'\0\0'  # goodRASFlag
    (tmp_path / 'a.mgh').write_bytes(content)
    assert assert_nibabel(tmp_path / 'a.mgh').spacing == (1, 1, 1)


def test_words_after_the_voxels_of_an_mgh_file_are_passed_over(tmp_path):
    nibabel.save(nibabel.MGHImage(voxels(), AFFINES['oblique']), tmp_path / 'a.mgh')
    with open(tmp_path / 'a.mgh', 'ab') as file:
        file.write(b'mri_convert of a subject' * 1000)
    assert_nibabel(tmp_path / 'a.mgh')


def test_an_extension_of_the_header_is_passed_over(tmp_path):
    for klass in (nibabel.Nifti1Image, nibabel.Nifti1Pair):
        image = klass(voxels(), AFFINES['oblique'])
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension('comment', b'what was done' * 100))
        path = tmp_path / ('a.nii.gz' if klass is nibabel.Nifti1Image else 'a.hdr')
        nibabel.save(image, path)
        assert_nibabel(path)


def test_gzip_is_told_by_its_content(tmp_path):
    content = save(tmp_path / 'a.nii').read_bytes()
    (tmp_path / 'b.nii.gz').write_bytes(content)
    (tmp_path / 'c.nii').write_bytes(gzip.compress(content))
    (tmp_path / 'd.nii.gz').write_bytes(gzip.compress(content[:1000]) + gzip.compress(content[1000:]))  # as bgzip does
    (tmp_path / 'e.mgz').write_bytes(save(tmp_path / 'a.mgh', klass=nibabel.MGHImage).read_bytes())
    for name in ('b.nii.gz', 'c.nii', 'd.nii.gz', 'e.mgz'):
        numpy.testing.assert_array_equal(read_volume(tmp_path / name).array[0], voxels().T)
