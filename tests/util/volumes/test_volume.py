import gzip
import os
import re
import subprocess
import sys
import time

import numpy
import pytest
import SimpleITK as sitk

from util.script import PROJECT, UserError
from util.volumes import volume as volume_module
from util.volumes.volume import Volume, data_file, read_volume, remove_volume, write_volume

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def make_volume(seed=0, dtype=numpy.int16, size=(5, 6, 7), channels=1):
    array = (numpy.random.default_rng(seed).random((channels, *size)) * 100).astype(dtype)
    return Volume(array, (1.0, 4 / 3, 1 / 3), (-80.1, 100 / 3, 1e-7), OBLIQUE)


def assert_same(a, b):
    assert a.array.dtype == b.array.dtype and a.array.flags.c_contiguous
    numpy.testing.assert_array_equal(a.array, b.array)
    assert (a.spacing, a.origin, a.direction) == (b.spacing, b.origin, b.direction)


@pytest.mark.parametrize('shape', [(5, 6, 7), (1, 1, 5, 6, 7)])
def test_a_volume_has_four_axes_the_channels_first(shape):
    with pytest.raises(ValueError, match=re.escape(f'(C, z, y, x); got an array of shape {shape}')):
        Volume(numpy.zeros(shape), *make_geometry(make_volume()))
    assert make_volume(channels=2).size == (5, 6, 7)


@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('dtype', ['uint8', 'int8', 'uint16', 'int16', 'int32', 'float32', 'float64'])
def test_a_written_volume_reads_back_without_loss(tmp_path, dtype, channels):
    volume = make_volume(dtype=dtype, channels=channels)
    write_volume(tmp_path / 'new' / '0000.mhd', volume)
    assert_same(read_volume(tmp_path / 'new' / '0000.mhd'), volume)
    assert sorted(os.listdir(tmp_path / 'new')) == ['0000.mhd', '0000.raw']


def test_simpleitk_sees_the_axes_in_its_own_order(tmp_path):
    volume = make_volume()
    write_volume(tmp_path / 'v.mhd', volume)
    image = sitk.ReadImage(str(tmp_path / 'v.mhd'))
    assert image.GetSize() == (7, 6, 5) and image.GetNumberOfComponentsPerPixel() == 1
    assert image[1, 2, 3] == volume.array[0, 3, 2, 1]
    assert image.GetSpacing() == volume.spacing


def test_simpleitk_sees_channels_as_the_components_of_a_vector_image(tmp_path):
    volume = make_volume(channels=2)
    write_volume(tmp_path / 'v.mhd', volume)
    image = sitk.ReadImage(str(tmp_path / 'v.mhd'))
    assert image.GetSize() == (7, 6, 5) and image.GetNumberOfComponentsPerPixel() == 2
    assert image[1, 2, 3] == tuple(volume.array[:, 3, 2, 1])
    for channel, array in enumerate(volume.array):
        component = sitk.VectorIndexSelectionCast(image, channel)
        numpy.testing.assert_array_equal(sitk.GetArrayFromImage(component), array)
        assert (component.GetSpacing(), component.GetOrigin(), component.GetDirection()) == make_geometry(volume)


def test_dtype_is_converted_when_asked(tmp_path):
    write_volume(tmp_path / 'v.mhd', make_volume())
    assert read_volume(tmp_path / 'v.mhd', numpy.float32).array.dtype == numpy.float32


@pytest.mark.parametrize('writes_before', [1, 2])
@pytest.mark.parametrize('step', ['data', 'header', 'cleaning up'])
def test_a_kill_while_rewriting_leaves_the_old_or_the_new_volume(tmp_path, monkeypatch, step, writes_before):
    class Killed(BaseException):
        pass

    path, (old, new) = tmp_path / '0000.mhd', (make_volume(1), make_volume(2, numpy.float32, (8, 4, 4), 2))
    for _ in range(writes_before):
        write_volume(path, old)
    replace, moved = os.replace, []

    def replace_or_die(source, target):
        if len(moved) == {'data': 0, 'header': 1, 'cleaning up': 2}[step]:
            raise Killed
        moved.append(target)
        replace(source, target)

    def die(*args, **kwargs):
        raise Killed

    monkeypatch.setattr(os, 'replace', replace_or_die)
    monkeypatch.setattr(volume_module.shutil, 'rmtree', lambda *args, **kwargs: None)  # a kill cleans up nothing
    if step == 'cleaning up':
        monkeypatch.setattr(volume_module.Path, 'unlink', die)
    with pytest.raises(Killed):
        write_volume(path, new)
    monkeypatch.undo()
    assert_same(read_volume(path), new if step == 'cleaning up' else old)
    write_volume(path, new)
    assert_same(read_volume(path), new)
    assert sorted(os.listdir(tmp_path)) == sorted([path.name, data_file(path).name])


def test_rewriting_many_times_leaves_one_data_file(tmp_path):
    for seed in range(5):
        write_volume(tmp_path / '0000.mhd', make_volume(seed))
        assert_same(read_volume(tmp_path / '0000.mhd'), make_volume(seed))
        assert len(os.listdir(tmp_path)) == 2


def test_remove_volume_leaves_nothing_and_may_be_repeated(tmp_path):
    for _ in range(2):
        write_volume(tmp_path / '0000.mhd', make_volume())
    for _ in range(2):
        remove_volume(tmp_path / '0000.mhd')
        assert not os.listdir(tmp_path)


def write_nifti(path, array, spacing=(1, 1, 1)):
    image = sitk.GetImageFromArray(array, isVector=False)
    image.SetSpacing(spacing + (1,) * (image.GetDimension() - 3))
    sitk.WriteImage(image, str(path))
    return path


def channel_images(volume):
    """Each channel as a SimpleITK image in the volume's place."""
    images = [sitk.GetImageFromArray(array) for array in volume.array]
    for image in images:
        for set_value, value in zip((image.SetSpacing, image.SetOrigin, image.SetDirection), make_geometry(volume)):
            set_value(value)
    return images


def write_frames(path, volume):
    """A 4D file: the channels one after the other, 2.5 s apart."""
    sitk.WriteImage(sitk.JoinSeries(channel_images(volume), 0.0, 2.5), str(path))
    return path


def write_components(path, volume):
    """A vector file: the channels as several values per voxel."""
    sitk.WriteImage(sitk.Compose(channel_images(volume)), str(path))
    return path


def refusal(path):
    with pytest.raises(UserError) as caught:
        read_volume(path)
    message = str(caught.value)
    assert message.startswith(f'{path}: ') and '\n' not in message
    return message


@pytest.fixture
def noise():
    return numpy.random.default_rng(0).integers(0, 200, (16, 17, 18)).astype(numpy.int16)


@pytest.mark.parametrize('kept', [0.3, 0.9, 0.9999])
def test_a_truncated_gzipped_nifti_file_is_refused(tmp_path, noise, kept):
    path = write_nifti(tmp_path / 'a.nii.gz', noise)
    os.truncate(path, int(path.stat().st_size * kept))
    assert 'truncated' in refusal(path)


def test_a_truncated_nifti_file_is_refused_plain_or_gzipped_afterwards(tmp_path, noise):
    path = write_nifti(tmp_path / 'a.nii', noise)
    os.truncate(path, path.stat().st_size - 10)
    assert f'truncated: {352 + 2 * noise.size} bytes are needed, {342 + 2 * noise.size} are there' in refusal(path)
    (tmp_path / 'b.nii.gz').write_bytes(gzip.compress(path.read_bytes()))
    assert 'truncated' in refusal(tmp_path / 'b.nii.gz')


def test_damage_inside_a_gzipped_nifti_file_is_refused(tmp_path, noise):
    path = write_nifti(tmp_path / 'a.nii.gz', noise)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xff
    path.write_bytes(content)
    assert 'damaged' in refusal(path)


@pytest.mark.parametrize('suffix', ['.mhd', '.mha', '.nrrd'])
def test_other_truncated_formats_are_refused_and_stderr_stays_clean(tmp_path, noise, suffix, capfd):
    path = write_nifti(tmp_path / f'a{suffix}', noise)
    data = path.with_suffix('.raw') if suffix == '.mhd' else path
    os.truncate(data, data.stat().st_size // 2)
    assert 'cannot be read: ' in refusal(path)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('write', [write_frames, write_components])
@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz'])
def test_a_truncated_nifti_file_of_channels_is_refused(tmp_path, suffix, write):
    path = write(tmp_path / f'a{suffix}', make_volume(channels=3))
    content = gzip.decompress(path.read_bytes()) if suffix == '.nii.gz' else path.read_bytes()
    path.write_bytes(gzip.compress(content[:-10]) if suffix == '.nii.gz' else content[:-10])
    assert f'truncated: {352 + 2 * 3 * 210} bytes are needed, {342 + 2 * 3 * 210} are there' in refusal(path)


def test_pairs_of_nifti_files_read_whole_and_are_refused_truncated(tmp_path, noise):
    path = write_nifti(tmp_path / 'a.hdr', noise)
    numpy.testing.assert_array_equal(read_volume(path).array[0], noise)
    os.truncate(tmp_path / 'a.img', 500)
    for name in ('a.hdr', 'a.img'):
        assert 'truncated' in refusal(tmp_path / name)


def test_slope_and_intercept_are_applied(tmp_path, noise):
    path = write_nifti(tmp_path / 'a.nii', noise)
    content = bytearray(path.read_bytes())
    content[112:120] = numpy.array([0.5, 3.0], '<f4').tobytes()  # scl_slope, scl_inter
    path.write_bytes(content)
    numpy.testing.assert_allclose(read_volume(path).array[0], noise * 0.5 + 3)


@pytest.mark.parametrize('write', [write_frames, write_components])
@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz', '.nrrd', '.mha'])
def test_frames_and_components_become_channels_in_the_place_of_the_3d_file(tmp_path, suffix, write):
    volume = make_volume(channels=3)
    together = read_volume(write(tmp_path / f'together{suffix}', volume))
    numpy.testing.assert_array_equal(together.array, volume.array)
    assert together.array.dtype == volume.array.dtype and together.array.flags.c_contiguous
    for channel, image in enumerate(channel_images(volume)):
        sitk.WriteImage(image, str(tmp_path / f'alone{suffix}'))
        alone = read_volume(tmp_path / f'alone{suffix}')
        numpy.testing.assert_array_equal(together.array[channel], alone.array[0])
        assert make_geometry(together) == make_geometry(alone)


def test_colour_nifti_files_become_three_channels_and_are_refused_truncated(tmp_path, noise):
    """NIfTI's RGB counts its three values as one of 24 bits. SimpleITK reads it and writes vectors instead."""
    colours = numpy.stack([noise, 199 - noise, noise // 2], axis=-1).astype(numpy.uint8)
    content = bytearray(write_nifti(tmp_path / 'a.nii', colours[..., 0]).read_bytes()[:352])
    content[70:74] = numpy.array([128, 24], '<i2').tobytes()  # datatype, bitpix
    (tmp_path / 'a.nii').write_bytes(content + colours.tobytes())
    numpy.testing.assert_array_equal(read_volume(tmp_path / 'a.nii').array, numpy.moveaxis(colours, -1, 0))
    os.truncate(tmp_path / 'a.nii', 352 + colours.nbytes - 1)
    assert 'truncated' in refusal(tmp_path / 'a.nii')


def test_what_is_not_one_finite_real_3d_volume_is_refused(tmp_path, noise, capfd):
    assert '18 x 17, with 1 values per voxel; a 3D' in refusal(write_nifti(tmp_path / '2d.nii.gz', noise[0]))
    assert '18 x 17 x 1, with' in refusal(write_nifti(tmp_path / 'slice.nrrd', noise[:1]))
    assert '18 x 17 x 1 x 2, with' in refusal(write_nifti(tmp_path / 'slices.nii.gz', numpy.stack([noise[:1]] * 2)))
    vectors = sitk.GetImageFromArray(numpy.stack([noise] * 3, axis=-1), isVector=True)
    sitk.WriteImage(sitk.JoinSeries([vectors] * 2), str(tmp_path / 'vectors.nii.gz'))
    assert '18 x 17 x 16 x 2, with 3 values per voxel; a 3D' in refusal(tmp_path / 'vectors.nii.gz')
    for suffix in ('.nii', '.nii.gz', '.nrrd'):
        for dtype in (numpy.complex64, numpy.complex128):
            path = tmp_path / f'complex{suffix}'
            sitk.WriteImage(sitk.GetImageFromArray(noise.astype(dtype)), str(path))
            assert 'its voxels are complex (complex of' in refusal(path)
    assert 'no such file' in refusal(tmp_path / 'absent.nii.gz')
    (tmp_path / 'link.nii.gz').symlink_to(tmp_path / 'absent.nii.gz')
    assert 'a link to a file' in refusal(tmp_path / 'link.nii.gz')
    (tmp_path / 'empty.nii.gz').touch()
    assert '0 bytes' in refusal(tmp_path / 'empty.nii.gz')
    (tmp_path / 'text.nii.gz').write_text('not an image' * 100)
    assert 'not an image in a format' in refusal(tmp_path / 'text.nii.gz')
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('name', ['a.nii', 'a.nii.gz', 'a.img', 'a.mhd', 'a.nrrd'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('value', [numpy.nan, numpy.inf, -numpy.inf])
def test_values_that_are_not_finite_are_counted_and_refused(tmp_path, noise, name, dtype, value):
    """SimpleITK itself reads them as zeros from NIfTI files."""
    array = noise.astype(dtype)
    write_nifti(tmp_path / name, array)
    assert read_volume(tmp_path / name).array.dtype == dtype
    array[1, 2, 3] = array[3, 2, 1] = value
    write_nifti(tmp_path / name, array)
    assert f'2 of {noise.size} values are not finite' in refusal(tmp_path / name)


@pytest.mark.parametrize('write', [write_frames, write_components])
@pytest.mark.parametrize('name', ['a.nii', 'a.nii.gz', 'a.nrrd'])
def test_values_that_are_not_finite_are_found_in_every_channel(tmp_path, name, write):
    volume = make_volume(dtype=numpy.float32, channels=3)
    for channel in range(3):
        array = volume.array.copy()
        array[channel, -1, -1, -1] = numpy.nan
        write(tmp_path / name, Volume(array, *make_geometry(volume)))
        assert f'1 of {array.size} values are not finite' in refusal(tmp_path / name)


def test_values_too_large_for_float32_are_refused(tmp_path, noise):
    array = noise.astype(numpy.float64)
    array[1, 2, 3] = 1e300
    assert 'beyond float32' in refusal(write_nifti(tmp_path / 'a.nii.gz', array))


def test_big_endian_nifti_files_read_like_others(tmp_path, noise):
    array = noise.astype(numpy.float32)
    content = write_nifti(tmp_path / 'a.nii', array).read_bytes()
    # the types of the NIfTI-1 header's fields in their order
    fields = numpy.dtype('i4,S28,i4,i2,S2,8i2,3f4,4i2,8f4,3f4,i2,S2,4f4,2i4,S104,2i2,18f4,S20')
    swapped = numpy.frombuffer(content[:348], fields).astype(fields.newbyteorder('>')).tobytes()
    (tmp_path / 'b.nii').write_bytes(swapped + content[348:352] + array.astype('>f4').tobytes())
    numpy.testing.assert_array_equal(read_volume(tmp_path / 'b.nii').array[0], array)


def test_a_4d_nifti_file_with_one_frame_is_a_3d_volume(tmp_path, noise):
    array = read_volume(write_nifti(tmp_path / 'a.nii.gz', noise[None])).array
    numpy.testing.assert_array_equal(array, noise[None])


def test_a_volume_of_another_suffix_is_not_written(tmp_path):
    with pytest.raises(ValueError, match='written as .mhd'):
        write_volume(tmp_path / 'a.nii', make_volume())
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(sys.platform == 'win32', reason='resource limits are POSIX')
def test_a_disk_that_fills_up_is_one_line_and_leaves_the_old_volume(tmp_path):
    """A limit on the file size stands for the disk."""
    path, old = tmp_path / '0000.mhd', make_volume()
    write_volume(path, old)
    code = ('import resource, sys\n'
            'from tests.util.volumes.test_volume import make_volume; from util.volumes.volume import write_volume\n'
            'resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n'
            'write_volume(sys.argv[1], make_volume(size=(40, 40, 40)))')
    done = subprocess.run([sys.executable, '-c', code, path], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f'UserError: {path}: cannot be written' in done.stderr.splitlines()[-1]
    assert_same(read_volume(path), old)
    assert len(os.listdir(tmp_path)) == 2


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match='a.mhd: cannot be written: '):
        write_volume(tmp_path / 'file' / 'a.mhd', make_volume())


def make_geometry(volume):
    return volume.spacing, volume.origin, volume.direction


def test_a_real_kill_at_any_time_leaves_a_volume_that_reads(tmp_path):
    """A process that rewrites one volume without end is killed at several moments."""
    path = tmp_path / '0000.mhd'
    write_volume(path, make_volume(0))
    code = ('import sys; from tests.util.volumes.test_volume import make_volume\n'
            'from util.volumes.volume import write_volume\n'
            'print("ready", flush=True)\n'
            'while True:\n'
            '    for seed in range(3): write_volume(sys.argv[1], make_volume(seed, size=(5 + seed, 6, 7)))')
    for wait in (0.005, 0.0123, 0.0217):
        with subprocess.Popen([sys.executable, '-c', code, path], cwd=PROJECT, stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(wait)
            writer.kill()
        volume = read_volume(path)
        assert_same(volume, make_volume(volume.size[0] - 5, size=volume.size))
