"""What contradicts itself in a NIfTI, Analyze or MGH file is refused by name, or put right as nibabel does and said."""
import gzip
import os
import re

import nibabel
import numpy
import pytest
from nibabel.affines import from_matvec

from tests.util.volumes.files import affine_of, patch, refusal
from tests.util.volumes.nifti_files import AFFINES, assert_nibabel, save, voxels
from util.volumes.reading import read_volume

BYTES = 352 + voxels().nbytes


@pytest.mark.parametrize('fields, said', [
    (dict(vox_offset=348), 'vox offset 348 too low'),
    (dict(vox_offset=0), 'begin at byte 0 .vox_offset., inside the header of 352 bytes'),
    (dict(vox_offset=-4), 'vox offset -4 too low'),
    (dict(vox_offset=356), f'truncated: {BYTES + 4} bytes are needed, {BYTES} are there'),
    (dict(vox_offset=352.5), 'begin at byte 352.5'),
    (dict(vox_offset=numpy.nan), 'begin at byte nan'),
    (dict(vox_offset=numpy.inf), 'begin at byte inf'),
    (dict(vox_offset=1e30), 'truncated'),
    (dict(bitpix=32), 'its bits per voxel .bitpix. contradict its datatype'),
    (dict(bitpix=0), 'bitpix'),
    (dict(datatype=8), 'bitpix'),
    (dict(datatype=1, bitpix=1), 'data code 1 not supported'),
    (dict(datatype=999), 'data code 999 not recognized'),
    (dict(datatype=1536, bitpix=128), 'float128|1536'),
    (dict(datatype=32, bitpix=64), 'its voxels are complex .complex64.'),
    (dict(datatype=128, bitpix=24), 'its voxels are colours .RGB.'),
    (dict(datatype=2304, bitpix=32), 'its voxels are colours .RGBA.'),
    (dict(dim=[0, 7, 6, 5, 1, 1, 1, 1]), '0 axes .dim.0..; 1 to 7'),
    (dict(dim=[-1, 7, 6, 5, 1, 1, 1, 1]), 'axes .dim.0..; 1 to 7'),
    (dict(dim=[8, 7, 6, 5, 1, 1, 1, 1]), 'axes .dim.0..; 1 to 7'),
    (dict(dim=[300, 7, 6, 5, 1, 1, 1, 1]), 'axes .dim.0..; 1 to 7'),
    (dict(dim=[2, 7, 6, 5, 1, 1, 1, 1]), 'its size is 7 x 6; a 3D volume'),
    (dict(dim=[3, 7, 0, 5, 1, 1, 1, 1]), 'its size is 7 x 0 x 5'),
    (dict(dim=[3, 7, -6, 5, 1, 1, 1, 1]), 'its size is 7 x -6 x 5'),
    (dict(dim=[4, 7, 6, 5, 0, 1, 1, 1]), 'its size is 7 x 6 x 5 x 0'),
    (dict(dim=[3, 210, 1, 1, 1, 1, 1, 1]), 'its size is 210 x 1 x 1; a 3D volume'),
    (dict(dim=[5, 7, 6, 5, 2, 3, 1, 1]), 'its size is 7 x 6 x 5 x 2 x 3; a 3D volume'),
    (dict(dim=[3, 7, 6, 6, 1, 1, 1, 1]), f'truncated: {BYTES + 84} bytes are needed, {BYTES} are there'),
    (dict(dim=[3, 7, 6, 4, 1, 1, 1, 1]), f'too long: its header asks for {BYTES - 84} bytes, {BYTES} are there'),
    (dict(dim=[7, *[32767] * 7]), 'its size is 32767 x 32767'),
    (dict(dim=[4, *[32767] * 4, 1, 1, 1]), 'more than memory can hold'),
    (dict(scl_slope=2, scl_inter=numpy.nan), 'invalid intercept nan'),
    (dict(sizeof_hdr=1, magic=b'n+3'), 'not an image in a format that its name promises .Nifti1 or Nifti2.'),
])
@pytest.mark.parametrize('packed', [False, True])
def test_a_header_that_contradicts_itself_is_refused(tmp_path, fields, said, packed):
    path = save(tmp_path / f'a.nii{".gz" * packed}', **{'vox_offset': 352, **fields})
    message = refusal(path)
    if not packed:
        assert re.search(said, message)


@pytest.mark.parametrize('matrix, said', [
    (numpy.diag([2, numpy.nan, 1]), 'not finite'),
    (numpy.diag([2, numpy.inf, 1]), 'not finite'),
    (numpy.diag([2, 0, 1]), 'its voxels are 2 0 1 mm large'),
    (numpy.zeros((3, 3)), 'its voxels are 0 0 0 mm large'),
    (numpy.ones((3, 3)), 'its axes are sheared'),
    ([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]], 'its axes are sheared'),
    ([[1, 0.0011, 0], [0, 1, 0], [0, 0, 1]], 'its axes are sheared')])
@pytest.mark.parametrize('klass', [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_place_in_space_that_no_scanner_gives_is_refused(tmp_path, klass, matrix, said):
    rows = {f'srow_{axis}': [*row, 5] for axis, row in zip('xyz', matrix)}
    path = save(tmp_path / 'a.nii', klass=klass, vox_offset=352 if klass is nibabel.Nifti1Image else 544, **rows)
    assert said in refusal(path)


def test_a_shear_that_is_rounding_is_kept_as_it_is(tmp_path):
    affine = from_matvec([[1, 0.0009, 0], [0, 1, 0], [0, 0, 1]], [1, 2, 3])
    nibabel.save(nibabel.Nifti1Image(voxels(), affine), tmp_path / 'a.nii')
    assert_nibabel(tmp_path / 'a.nii')


@pytest.mark.parametrize('value', [numpy.nan, numpy.inf])
def test_an_origin_that_is_not_finite_is_refused(tmp_path, value):
    assert 'not finite' in refusal(save(tmp_path / 'a.nii', vox_offset=352, srow_y=[0, 1, 0, value]))
    path = save(tmp_path / 'a.nii', vox_offset=352, sform_code=0, qform_code=1, qoffset_x=value)
    assert 'not finite' in refusal(path)


def test_a_negative_pixdim_with_a_good_sform_is_the_sform_s_place(tmp_path, capfd):
    """ITK takes the sign for a mirroring."""
    path = save(tmp_path / 'a.nii', vox_offset=352, pixdim=[1, -1, 4 / 3, 3, 1, 1, 1, 1])
    numpy.testing.assert_allclose(affine_of(assert_nibabel(path)), AFFINES['oblique'], atol=1e-5)
    capfd.readouterr()
    read_volume(path)
    assert capfd.readouterr() == ('', '')


def test_a_negative_pixdim_that_is_all_there_is_loses_its_sign_and_that_is_said(tmp_path, capfd):
    path = save(tmp_path / 'a.nii', vox_offset=352, sform_code=0, qform_code=0, pixdim=[1, -1, 4 / 3, 3, 1, 1, 1, 1])
    assert_nibabel(path)
    capfd.readouterr()
    read_volume(path)
    assert f'{path}: its header is not as it should be: pixdim[1,2,3] should be positive' in capfd.readouterr().err


@pytest.mark.parametrize('qform', [0, 1])
def test_a_pixdim_of_0_is_refused_unless_a_sform_says_more(tmp_path, qform):
    pixdim = [1, 0, 4 / 3, 3, 1, 1, 1, 1]
    path = save(tmp_path / 'a.nii', vox_offset=352, sform_code=0, qform_code=qform, pixdim=pixdim)
    assert '0 mm large along an axis (pixdim), and it has no sform' in refusal(path)
    assert_nibabel(save(tmp_path / 'b.nii', vox_offset=352, pixdim=pixdim))


def test_a_sform_and_a_qform_that_disagree_are_said_with_their_distance_and_the_sform_is_used(tmp_path, capfd):
    image = nibabel.Nifti1Image(voxels(), AFFINES['straight'])
    image.set_sform(AFFINES['straight'], 1)
    moved = AFFINES['straight'].copy()
    moved[0, 3] += 12.5
    image.set_qform(moved, 1)
    nibabel.save(image, tmp_path / 'a.nii.gz')
    volume = assert_nibabel(tmp_path / 'a.nii.gz')
    numpy.testing.assert_allclose(affine_of(volume), AFFINES['straight'], atol=1e-5)
    assert capfd.readouterr().err == (f'note: {tmp_path}/a.nii.gz: its sform and its qform lie up to 12.5 mm apart; '
                                      'the sform is used, as nibabel does\n')
    moved[0, 3] -= 12.45  # less than a tenth of a voxel
    image.set_qform(moved, 1)
    nibabel.save(image, tmp_path / 'a.nii.gz')
    read_volume(tmp_path / 'a.nii.gz')
    assert capfd.readouterr().err == ''


def test_a_qform_that_is_none_is_said_and_the_sform_is_used(tmp_path, capfd):
    path = save(tmp_path / 'a.nii', vox_offset=352, qform_code=1, quatern_b=5)
    assert_nibabel(path)
    assert f'{path}: its qform is damaged' in capfd.readouterr().err
    assert 'its header is damaged' in refusal(save(path, vox_offset=352, sform_code=0, qform_code=1, quatern_b=5))


@pytest.mark.parametrize('code, word', [(1, 'metres'), (3, 'micrometres')])
def test_other_units_are_said_and_nibabel_s_numbers_kept(tmp_path, capfd, code, word):
    path = save(tmp_path / 'a.nii', vox_offset=352, xyzt_units=code + 8)
    assert_nibabel(path)
    assert f'{path}: its header says {word}; its numbers are taken as millimetres' in capfd.readouterr().err


def test_a_code_that_is_none_is_no_sform_and_that_is_said(tmp_path, capfd):
    path = save(tmp_path / 'a.nii', vox_offset=352, sform_code=77, qform_code=1, qoffset_x=3)
    assert_nibabel(path)
    assert f'{path}: its header is not as it should be: sform_code 77 not valid' in capfd.readouterr().err


def test_the_files_of_a_pair_must_belong_together(tmp_path):
    save(tmp_path / 'a.hdr', klass=nibabel.Nifti1Pair)
    for length, said in ((419, 'truncated: 420 bytes are needed, 419 are there'),
                         (421, 'too long: its header asks for 420 bytes, 421 are there')):
        os.truncate(tmp_path / 'a.img', length)
        for name in ('a.hdr', 'a.img'):
            assert said in refusal(tmp_path / name)
    (tmp_path / 'a.img').unlink()
    assert f'{tmp_path}/a.img: no such file' in refusal(tmp_path / 'a.hdr')


def test_a_mat_file_that_is_none_is_refused(tmp_path):
    nibabel.save(nibabel.Spm2AnalyzeImage(voxels(), AFFINES['oblique']), tmp_path / 'a.img')
    for content in (b'hello' * 100, (tmp_path / 'a.mat').read_bytes()[:-9]):
        (tmp_path / 'a.mat').write_bytes(content)
        assert 'a.mat beside it holds no affine of SPM' in refusal(tmp_path / 'a.hdr')


@pytest.mark.parametrize('start, content, said', [
    (0, b'\0\0\0\2', 'Unknown MGH format version'), (4, b'\0\0\0\0', 'its size is 0 x 6 x 5'),
    (4, b'\xff\xff\xff\xff', 'its size is -1 x 6 x 5'), (4, b'\0\0\0\x08', 'truncated'),
    (20, b'\0\0\0\2', 'nibabel knows no data type 2'),
    (30, b'\0\0\0\0', 'mm large'), (30, b'\x7f\xc0\0\0', 'not finite'), (42, b'\x3f\x80\0\0', 'sheared')])
def test_an_mgh_file_that_contradicts_itself_is_refused(tmp_path, start, content, said):
    path = save(tmp_path / 'a.mgh', klass=nibabel.MGHImage)
    assert said in refusal(patch(path, start, content))
    (tmp_path / 'a.mgz').write_bytes(gzip.compress(path.read_bytes()))
    assert said in refusal(tmp_path / 'a.mgz')
