"""NIfTI, MGH and NRRD as this project writes them, seen by nibabel and SimpleITK."""
import os
import tracemalloc
from pathlib import Path

import nibabel
import numpy
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from tests.util.volumes import nifti_files
from tests.util.volumes.files import affine_of, make_volume, names
from util.script import UserError
from util.volumes import single_files
from util.volumes.affine import affine_of_geometry
from util.volumes.geometry import hr_volume_geometry
from util.volumes.reading import form_codes, read_volume
from util.volumes.sampling import Sampling
from util.volumes.single_files import FORMATS, Label
from util.volumes.volume import Volume
from util.volumes.writing import remove_volume, write_volume

NIBABEL = '.nii.gz', '.nii', '.mgz', '.mgh'


def anywhere(seed, channels=1, dtype=numpy.float32):
    """A volume at a random place, its axes turned at random, every other time left-handed."""
    rng = numpy.random.default_rng(seed)
    axes = Rotation.random(random_state=seed).as_matrix() * [1, 1, (-1) ** seed]
    array = (rng.normal(size=(channels, 4, 5, 6)) * 100).astype(dtype)
    return Volume(array, tuple(rng.uniform(0.2, 4, 3)), tuple(rng.uniform(-150, 150, 3)), tuple(axes.ravel()))


def load(path):
    """nibabel's array, x y z and frames, and its affine, of a file; of NRRD SimpleITK's."""
    if path.suffix != '.nrrd':
        image = nibabel.MGHImage.from_bytes(path.read_bytes()) if path.suffix == '.mgh' else nibabel.load(path)
        return numpy.asanyarray(image.dataobj), image.affine
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)  # z, y, x and components
    affine = numpy.eye(4)
    affine[:3, :3] = numpy.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return array.swapaxes(0, 2), numpy.diag([-1, -1, 1, 1]) @ affine


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('suffix', FORMATS)
def test_others_see_the_voxels_where_they_lie(tmp_path, suffix, channels):
    for seed in range(4):
        volume, path = anywhere(seed, channels), tmp_path / f'a.b{suffix}'
        write_volume(path, volume)
        array, affine = load(path)
        expected = volume.array.transpose(3, 2, 1, 0)
        numpy.testing.assert_array_equal(array, expected if channels > 1 else expected[..., 0])
        numpy.testing.assert_allclose(affine, affine_of(volume), rtol=0, atol=2e-5)  # float32 of 150 mm
        assert nibabel.aff2axcodes(affine) == nibabel.aff2axcodes(affine_of(volume))
        back = read_volume(path)
        numpy.testing.assert_array_equal(back.array, volume.array)
        numpy.testing.assert_allclose(affine_of(back), affine, rtol=0, atol=1e-9)


@pytest.mark.parametrize('suffix', FORMATS)
def test_lr_and_hr_voxels_of_two_files_lie_at_one_place_in_millimetres(tmp_path, suffix):
    """LR voxel i is at HR index 4 i + 1.5 along z, for nibabel's affines of both."""
    sampling, lr = Sampling((4, 1, 1), (1.5, 0, 0)), anywhere(7)
    hr = Volume(lr.array.repeat(4, axis=1), *hr_volume_geometry(lr, sampling))
    write_volume(tmp_path / f'lr{suffix}', lr)
    write_volume(tmp_path / f'hr{suffix}', hr)
    (_, of_lr), (_, of_hr) = (load(tmp_path / f'{name}{suffix}') for name in ('lr', 'hr'))
    for x, y, z in numpy.ndindex(6, 5, 4):
        numpy.testing.assert_allclose(of_lr @ (x, y, z, 1), of_hr @ (x, y, 4 * z + 1.5, 1), rtol=0, atol=5e-5)


@pytest.mark.parametrize('suffix, dtype', [
    *((suffix, dtype) for suffix in ('.nii', '.nrrd')
      for dtype in ('uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'uint64', 'int64', 'float32', 'float64',
                    '>i2', '>f4')),
    *(('.mgz', dtype) for dtype in ('uint8', 'int16', 'int32', 'float32', '>f4', '<i2'))])
def test_every_type_reads_back_without_loss(tmp_path, suffix, dtype):
    volume = anywhere(1, 2, dtype)
    write_volume(tmp_path / f'a{suffix}', volume)
    back = read_volume(tmp_path / f'a{suffix}').array
    assert back.dtype == volume.array.dtype.newbyteorder('=')
    numpy.testing.assert_array_equal(back, volume.array)


def test_a_type_that_mgh_has_not_is_refused(tmp_path):
    with pytest.raises(UserError, match='a.mgz: MGH has no float64; write .nii.gz'):
        write_volume(tmp_path / 'a.mgz', anywhere(1, dtype=float))
    assert not names(tmp_path)


def test_nifti_s_header_has_both_forms_units_and_origin_and_no_scaling(tmp_path):
    volume = anywhere(3)
    write_volume(tmp_path / 'a.nii', volume, Label('3D-ESPCN gen_b\u00e9st.npz\n' + 100 * 'v', (4, 1)))
    image = nibabel.load(tmp_path / 'a.nii')
    header = image.header
    assert (int(header['sform_code']), int(header['qform_code'])) == (4, 1)
    numpy.testing.assert_allclose(header.get_sform(), affine_of(volume), rtol=0, atol=2e-5)
    numpy.testing.assert_allclose(header.get_qform(), affine_of(volume), rtol=0, atol=1e-3)  # a quaternion of float32
    numpy.testing.assert_allclose(header.get_zooms(), volume.spacing, rtol=1e-6)
    assert header.get_xyzt_units() == ('mm', 'sec') and header.get_data_dtype() == numpy.float32
    assert bytes(header['descrip']) == b'3D-ESPCN gen_b?st.npz?' + 57 * b'v' + b'\0'  # 80 bytes
    on_disk = numpy.frombuffer((tmp_path / 'a.nii').read_bytes()[108:120], '<f4')
    assert on_disk.tolist() == [352, 1, 0]  # vox_offset, scl_slope, scl_inter


def test_nrrd_says_its_space_its_kinds_and_its_origin(tmp_path):
    write_volume(tmp_path / 'a.nrrd', anywhere(3, 2), Label('3D-ESPCN\n\ndata file: x'))
    lines = (tmp_path / 'a.nrrd').read_bytes().split(b'\n\n')[0].decode().splitlines()
    assert {'space: left-posterior-superior', 'sizes: 2 6 5 4', 'kinds: vector domain domain domain',
            'space units: "mm" "mm" "mm"', 'content: 3D-ESPCN??data file: x'} <= set(lines)


def test_the_same_volume_is_the_same_file(tmp_path):
    for suffix in FORMATS:
        for name in 'ab':
            write_volume(tmp_path / f'{name}{suffix}', anywhere(1))
        assert (tmp_path / f'a{suffix}').read_bytes() == (tmp_path / f'b{suffix}').read_bytes()


@pytest.mark.parametrize('codes, expected', [
    ((1, 1), (1, 1)), ((4, 1), (4, 1)), ((2, 0), (2, 2)), ((0, 2), (2, 2)), ((0, 0), (1, 1))])
def test_the_codes_of_a_header_are_those_of_the_forms_that_count(tmp_path, codes, expected):
    nifti_files.save(tmp_path / 'a.nii.gz', sform_code=codes[0], qform_code=codes[1])
    assert form_codes(tmp_path / 'a.nii.gz') == expected


@pytest.mark.parametrize('fields', [{'sform_code': 77}, {'quatern_b': 2}, {'quatern_b': numpy.nan}])
def test_codes_and_forms_that_are_none_are_not_copied(tmp_path, fields):
    nifti_files.save(tmp_path / 'a.nii', **{'vox_offset': 352, 'sform_code': 2, 'qform_code': 1, **fields})
    read_volume(tmp_path / 'a.nii')
    assert form_codes(tmp_path / 'a.nii') == ((1, 1) if 'sform_code' in fields else (2, 2))


def test_where_two_forms_lie_apart_both_get_the_code_of_the_one_that_is_used(tmp_path):
    image = nibabel.Nifti1Image(nifti_files.voxels(), None)
    image.set_qform(nifti_files.AFFINES['oblique'], 1)
    image.set_sform(nifti_files.AFFINES['straight'], 4)
    nibabel.save(image, tmp_path / 'a.nii')
    assert form_codes(tmp_path / 'a.nii') == (4, 4)
    for suffix in ('.mgz', '.nrrd'):
        write_volume(tmp_path / f'a{suffix}', anywhere(1))
        assert form_codes(tmp_path / f'a{suffix}') == (1, 1)


def test_the_affine_of_a_geometry_is_nibabel_s(tmp_path):
    for seed in range(4):
        numpy.testing.assert_allclose(affine_of_geometry(anywhere(seed)), affine_of(anywhere(seed)), rtol=1e-14)


@pytest.mark.parametrize('place', [10, 60, 700, -1])
def test_a_byte_that_did_not_reach_the_disk_is_found(tmp_path, monkeypatch, place):
    write_volume(tmp_path / 'a.nii', make_volume(1))
    before, opened = (tmp_path / 'a.nii').read_bytes(), single_files.opened

    def lose(path):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)
        return opened(path)

    monkeypatch.setattr(single_files, 'opened', lose)
    with pytest.raises(UserError, match='a.nii: what was written reads back otherwise'):
        write_volume(tmp_path / 'a.nii', make_volume(2))
    assert (tmp_path / 'a.nii').read_bytes() == before and names(tmp_path) == ['a.nii']


@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz'])
def test_an_axis_that_nifti_has_no_number_for_is_refused(tmp_path, suffix):
    with pytest.raises(UserError, match=f'a{suffix}: NIfTI-1 has at most 32767 voxels'):
        write_volume(tmp_path / f'a{suffix}', make_volume(size=(2, 2, 40000)))
    assert list(tmp_path.iterdir()) == []


def test_a_place_too_far_away_for_32_bits_is_refused(tmp_path):
    volume = make_volume()
    far = Volume(volume.array, volume.spacing, (1e6 + 0.03, 0.0, 0.0), volume.direction)
    with pytest.raises(UserError, match='a.nii.gz: it would lie 0.03.* mm away.*write .nrrd or .mhd'):
        write_volume(tmp_path / 'a.nii.gz', far)
    write_volume(tmp_path / 'a.nrrd', far)
    assert names(tmp_path) == ['a.nrrd']


def test_writing_takes_no_second_volume_in_memory(tmp_path):
    volume = make_volume(dtype=numpy.float32, size=(60, 200, 200), channels=2)
    write_volume(tmp_path / 'warm.nii', make_volume())
    for suffix in ('.nii', '.nrrd'):
        tracemalloc.start()
        try:
            write_volume(tmp_path / f'a{suffix}', volume)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < volume.array.nbytes / 8


@pytest.mark.skipif(not hasattr(os, 'geteuid'), reason='POSIX')
def test_what_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'a.nii').mkdir()
    for path in ('file/a.nii', 'a.nii', f'{"n" * 300}.nii'):
        with pytest.raises(UserError, match='a.nii: cannot be written|n.nii: cannot be written'):
            write_volume(tmp_path / path, make_volume())
    assert names(tmp_path) == ['a.nii', 'file']


def test_a_single_file_is_removed_and_a_missing_one_is_no_error(tmp_path):
    for suffix in FORMATS:
        write_volume(Path(tmp_path) / f'a{suffix}', make_volume())
        for _ in range(2):
            remove_volume(tmp_path / f'a{suffix}')
    assert not names(tmp_path)
