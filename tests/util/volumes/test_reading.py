"""What is asked of a file of any format."""
import os
import re

import nibabel
import numpy
import pytest
import SimpleITK as sitk

from tests.util.volumes.files import (affine_of, channel_images, make_geometry, make_volume, names, refusal, save,
                                      save_components, save_frames)
from util.script import PROJECT, UserError
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

ANNEX = '/annex/objects/MD5E-s12345--0123456789abcdef0123456789abcdef.nii.gz\n'
LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 12345\n'
SUFFIXES = '.nii', '.nii.gz', '.hdr', '.img', '.mgh', '.mgz', '.mhd', '.mha', '.nrrd', '.nhdr'


@pytest.fixture
def noise():
    return numpy.random.default_rng(0).integers(0, 200, (16, 17, 18)).astype(numpy.int16)


def test_dtype_is_converted_when_asked(tmp_path):
    write_volume(tmp_path / 'v.mhd', make_volume())
    assert read_volume(tmp_path / 'v.mhd', numpy.float32).array.dtype == numpy.float32
    assert read_volume(tmp_path / 'v.mhd').array.dtype == numpy.int16


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_what_is_no_file_of_a_volume_says_what_it_is(tmp_path, suffix):
    path = tmp_path / f'scan{suffix}'
    assert 'no such file' in refusal(path)
    path.symlink_to(tmp_path / 'absent')
    assert 'a link to a file that is not there' in refusal(path)
    path.unlink()
    path.mkdir()
    assert 'a folder' in refusal(path)
    path.rmdir()
    path.touch()
    assert 'the file is empty (0 bytes)' in refusal(path)
    os.remove(path)
    os.mkfifo(path)
    assert 'not a regular file' in refusal(path)


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_pointers_of_git_annex_and_git_lfs_say_how_to_fetch_what_they_stand_for(tmp_path, suffix):
    path = tmp_path / f'scan{suffix}'
    path.write_text(ANNEX)
    assert f'a pointer of git-annex, not the volume; fetch it with: git annex get scan{suffix}' in refusal(path)
    path.write_text(LFS)
    assert 'a pointer of Git LFS, not the volume; fetch it with: git lfs pull' in refusal(path)
    path.unlink()
    for folder in ('../.git/annex/objects/0f/Zk', '../.git/modules/data/annex/objects/0f/Zk'):
        path.symlink_to(f'{folder}/MD5E-s12345--0123/MD5E-s12345--0123.nii.gz')
        assert f'a link of git-annex to content that is not here; fetch it with: git annex get scan{suffix}' in \
            refusal(path)
        path.unlink()


@pytest.mark.parametrize('header, data', [('a.hdr', 'a.img'), ('a.mhd', 'a.raw'), ('a.nhdr', 'a.raw')])
def test_a_data_file_may_be_a_pointer_or_missing_as_well(tmp_path, noise, header, data):
    path, voxels = save(tmp_path / header, noise), tmp_path / data
    numpy.testing.assert_array_equal(read_volume(path).array[0], noise)
    voxels.write_text(ANNEX)
    assert re.search(f'{voxels}: a pointer of git-annex.*: git annex get {data}', refusal(path))
    voxels.unlink()
    assert f'{voxels}: no such file' in refusal(path)


def test_a_link_to_a_file_is_that_file(tmp_path, noise):
    save(tmp_path / 'content.nii.gz', noise)
    (tmp_path / 'link.nii.gz').symlink_to('content.nii.gz')
    numpy.testing.assert_array_equal(read_volume(tmp_path / 'link.nii.gz').array[0], noise)


@pytest.mark.parametrize('name', ['a.txt', 'a', 'a.gz', 'a.mhd.gz', 'a.png', 'a.dcm', 'a.nii.bz2', '.nii'])
def test_other_formats_are_refused_with_the_list_of_those_that_are_read(tmp_path, name):
    (tmp_path / name).write_text('hello' * 100)
    assert 'not an image in a format that is read here: .nii, .hdr' in refusal(tmp_path / name)


@pytest.mark.parametrize('name', [b'\xff%s', b'\xff/a%s'])
@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_path_that_is_not_utf8_is_read_or_refused(tmp_path, suffix, name):
    """SimpleITK would end the process, and with it the reading of all other volumes."""
    path = tmp_path / os.fsdecode(name % suffix.encode())
    volume = make_volume(dtype=numpy.float32)
    if suffix in ('.nii', '.nii.gz', '.mgh', '.mgz'):
        write_volume(path, volume)
        numpy.testing.assert_array_equal(read_volume(path).array, volume.array)
    elif suffix in ('.mhd', '.mha', '.nrrd', '.nhdr'):
        path.parent.mkdir(exist_ok=True)
        path.write_text('hello')
        with pytest.raises(UserError, match=r'\\udcff.*: its path is not UTF-8, which SimpleITK needs'):
            read_volume(path)
    if suffix in ('.mhd', '.nrrd'):
        with pytest.raises(UserError, match='its path is not UTF-8'):
            write_volume(path, volume)
        assert path.read_text() == 'hello'


@pytest.mark.parametrize('suffix', SUFFIXES + ('.nii.GZ', '.NII', '.NRRD'))
@pytest.mark.parametrize('content', [b'not an image ' * 100, b'\0' * 4000, b'\xff' * 4000, b'\n' * 4000, b'=\n' * 400,
                                     b'NRRD0004\n', b'NRRD0004\n\n', b'NDims = 3\n', b'x' * 3_000_000, b'\x1f\x8b',
                                     b'\x1f\x8b\x08\x00' + b'\0' * 50])
def test_content_that_is_none_is_refused(tmp_path, suffix, content):
    path = tmp_path / f'a{suffix}'
    path.write_bytes(content)
    (tmp_path / 'a.img').write_bytes(content)
    refusal(path)


def test_capitals_in_a_suffix_change_nothing(tmp_path, noise):
    for suffix in ('.nii.gz', '.nrrd', '.mha', '.mhd'):
        path = save(tmp_path / f'a{suffix}', noise)
        path.rename(tmp_path / f'A{suffix.upper()}')
        numpy.testing.assert_array_equal(read_volume(tmp_path / f'A{suffix.upper()}').array[0], noise)


@pytest.mark.parametrize('save_channels', [save_frames, save_components])
@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz', '.nrrd', '.mha', '.mhd', '.hdr'])
def test_frames_and_components_become_channels_in_the_place_of_the_3d_file(tmp_path, suffix, save_channels):
    volume = make_volume(channels=3)
    together = read_volume(save_channels(tmp_path / f'together{suffix}', volume))
    numpy.testing.assert_array_equal(together.array, volume.array)
    assert together.array.dtype == volume.array.dtype and together.array.flags.c_contiguous
    for channel, image in enumerate(channel_images(volume)):
        sitk.WriteImage(image, str(tmp_path / f'alone{suffix}'))
        alone = read_volume(tmp_path / f'alone{suffix}')
        numpy.testing.assert_array_equal(together.array[channel], alone.array[0])
        assert make_geometry(together) == make_geometry(alone)
        numpy.testing.assert_allclose(affine_of(alone), affine_of(volume), atol=1e-5)


def test_what_is_not_one_real_3d_volume_is_refused(tmp_path, noise, capfd):
    assert '18 x 17; a 3D' in refusal(save(tmp_path / '2d.nii.gz', noise[0]))
    assert '18 x 17 x 1, with 1 values' in refusal(save(tmp_path / 'slice.nrrd', noise[:1]))
    assert '18 x 17 x 1 x 2; a 3D' in refusal(save(tmp_path / 'slices.nii.gz', numpy.stack([noise[:1]] * 2)))
    vectors = sitk.GetImageFromArray(numpy.stack([noise] * 3, axis=-1), isVector=True)
    sitk.WriteImage(sitk.JoinSeries([vectors] * 2), str(tmp_path / 'vectors.nii.gz'))
    assert '18 x 17 x 16 x 2 x 3; a 3D' in refusal(tmp_path / 'vectors.nii.gz')
    sitk.WriteImage(sitk.JoinSeries([vectors] * 2), str(tmp_path / 'vectors.mha'))
    assert '18 x 17 x 16 x 2, with 3 values per voxel; a 3D' in refusal(tmp_path / 'vectors.mha')
    for suffix in ('.nii', '.nii.gz', '.nrrd'):
        for dtype in (numpy.complex64, numpy.complex128):
            path = tmp_path / f'complex{suffix}'
            sitk.WriteImage(sitk.GetImageFromArray(noise.astype(dtype)), str(path))
            assert 'its voxels are complex (complex' in refusal(path)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('name', ['a.nii', 'a.nii.gz', 'a.img', 'a.mhd', 'a.nrrd', 'a.mha'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('value', [numpy.nan, numpy.inf, -numpy.inf])
def test_values_that_are_not_finite_are_counted_and_refused(tmp_path, noise, name, dtype, value):
    array = noise.astype(dtype)
    save(tmp_path / name, array)
    assert read_volume(tmp_path / name).array.dtype == dtype
    array[1, 2, 3] = array[3, 2, 1] = value
    save(tmp_path / name, array)
    assert f'2 of {noise.size} values are not finite' in refusal(tmp_path / name)


@pytest.mark.parametrize('save_channels', [save_frames, save_components])
@pytest.mark.parametrize('name', ['a.nii', 'a.nii.gz', 'a.nrrd'])
def test_values_that_are_not_finite_are_found_in_every_channel(tmp_path, name, save_channels):
    volume = make_volume(dtype=numpy.float32, channels=3)
    for channel in range(3):
        array = volume.array.copy()
        array[channel, -1, -1, -1] = numpy.nan
        save_channels(tmp_path / name, Volume(array, *make_geometry(volume)))
        assert f'1 of {array.size} values are not finite' in refusal(tmp_path / name)


def test_values_too_large_for_float32_are_refused(tmp_path, noise):
    array = noise.astype(numpy.float64)
    array[1, 2, 3] = 1e300
    assert 'beyond float32' in refusal(save(tmp_path / 'a.nii.gz', array))


def test_real_scans_read_as_nibabel_reads_them():
    scans = sorted((PROJECT.parent / 'shared/data').rglob('*.nii.gz'))
    if not scans:
        pytest.skip('the real volumes are not here')
    for path in scans[::5]:
        volume, image = read_volume(path), nibabel.load(path)
        numpy.testing.assert_array_equal(volume.array.reshape(image.shape[::-1]), numpy.asanyarray(image.dataobj).T)
        numpy.testing.assert_allclose(affine_of(volume), image.affine, atol=1e-9)


def test_reading_leaves_nothing_behind(tmp_path, noise):
    for suffix in ('.nii.gz', '.mhd', '.nrrd'):
        save(tmp_path / f'a{suffix}', noise)
    before = names(tmp_path)
    for suffix in ('.nii.gz', '.mhd', '.nrrd'):
        read_volume(tmp_path / f'a{suffix}')
    assert names(tmp_path) == before
