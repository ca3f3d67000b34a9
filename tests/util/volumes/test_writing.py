import errno
import os
import tracemalloc

import numpy
import pytest
import SimpleITK as sitk

from tests.util.volumes.files import assert_same, make_geometry, make_volume, names
from util.script import UserError
from util.volumes import writing
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import remove_volume, write_volume


@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('dtype', ['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'uint64', 'int64', 'float32',
                                   'float64', '>i2', '>f4'])
def test_a_written_volume_reads_back_without_loss(tmp_path, dtype, channels):
    volume = make_volume(dtype=dtype, channels=channels)
    write_volume(tmp_path / 'new' / '0000.mhd', volume)
    native = Volume(volume.array.astype(volume.array.dtype.newbyteorder('=')), *make_geometry(volume))
    assert_same(read_volume(tmp_path / 'new' / '0000.mhd'), native)
    assert names(tmp_path / 'new') == ['0000.mhd', '0000.raw']


def test_simpleitk_sees_the_axes_in_its_own_order(tmp_path):
    volume = make_volume()
    write_volume(tmp_path / 'v.mhd', volume)
    image = sitk.ReadImage(str(tmp_path / 'v.mhd'))
    assert image.GetSize() == (7, 6, 5) and image.GetNumberOfComponentsPerPixel() == 1
    assert image[1, 2, 3] == volume.array[0, 3, 2, 1]
    assert (image.GetSpacing(), image.GetOrigin(), image.GetDirection()) == make_geometry(volume)


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


def test_a_view_is_written_as_what_it_shows(tmp_path):
    volume = make_volume(channels=2)
    view = Volume(volume.array[::-1, 1:, ::2, ::-1], *make_geometry(volume))
    write_volume(tmp_path / 'v.mhd', view)
    numpy.testing.assert_array_equal(read_volume(tmp_path / 'v.mhd').array, view.array)


def test_rewriting_many_times_leaves_one_data_file(tmp_path):
    for seed in range(5):
        write_volume(tmp_path / '0000.mhd', make_volume(seed))
        assert_same(read_volume(tmp_path / '0000.mhd'), make_volume(seed))
        assert len(names(tmp_path)) == 2


def test_remove_volume_leaves_nothing_and_may_be_repeated(tmp_path):
    for _ in range(2):
        write_volume(tmp_path / '0000.mhd', make_volume())
    for _ in range(2):
        remove_volume(tmp_path / '0000.mhd')
        assert not names(tmp_path)
    remove_volume(tmp_path / 'absent/0000.mhd')


def test_what_reads_back_otherwise_does_not_take_the_old_volume_s_place(tmp_path, monkeypatch):
    write_volume(tmp_path / 'scan.mhd', make_volume(1))
    header = writing._header
    for damaged, said in ((lambda *args: header(*args).replace(b'7 6 5', b'5 6 7'), 'reads back otherwise'),
                          (lambda *args: header(*args).replace(b'-80.1', b'-80.2'), 'reads back otherwise'),
                          (lambda *args: header(*args)[:50], 'does not read back'),
                          (lambda *args: b'', 'does not read back')):
        monkeypatch.setattr(writing, '_header', damaged)
        with pytest.raises(UserError, match=f'^{tmp_path}/scan.mhd: what was written {said}'):
            write_volume(tmp_path / 'scan.mhd', make_volume(2))
        assert_same(read_volume(tmp_path / 'scan.mhd'), make_volume(1))
        assert names(tmp_path) == ['scan.mhd', 'scan.raw']


@pytest.mark.parametrize('place', [0, 100, -1])
def test_a_voxel_that_did_not_reach_the_disk_is_found(tmp_path, monkeypatch, place):
    flush = writing.flush

    def lose(path):
        if path.suffix == '.raw':
            content = bytearray(path.read_bytes())
            content[place] ^= 1
            path.write_bytes(content)
        flush(path)

    monkeypatch.setattr(writing, 'flush', lose)
    with pytest.raises(UserError, match='scan.mhd: what was written reads back otherwise'):
        write_volume(tmp_path / 'scan.mhd', make_volume(channels=2))
    assert not names(tmp_path)


def test_writing_takes_no_second_volume_in_memory(tmp_path):
    volume = make_volume(dtype=numpy.float32, size=(100, 200, 200), channels=2)
    tracemalloc.start()
    try:
        write_volume(tmp_path / 'a.mhd', volume)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < volume.array.nbytes / 10


def test_files_and_folder_are_flushed_before_and_after_they_are_moved(tmp_path, monkeypatch):
    write_volume(tmp_path / 'scan.mhd', make_volume(1))
    done, fsync, replace = [], os.fsync, os.replace

    def note_fsync(handle):
        done.append('flush ' + os.path.basename(os.readlink(f'/proc/self/fd/{handle}')))
        fsync(handle)

    def note_replace(source, target):
        done.append(f'move {os.path.basename(target)}')
        replace(source, target)

    if not os.path.exists('/proc/self/fd'):
        pytest.skip('no /proc here to name an open file')
    monkeypatch.setattr(os, 'fsync', note_fsync)
    monkeypatch.setattr(os, 'replace', note_replace)
    write_volume(tmp_path / 'scan.mhd', make_volume(2))
    assert done == ['flush scan.raw1', 'flush new.mhd', 'move scan.raw1', f'flush {tmp_path.name}',
                    'move scan.mhd', f'flush {tmp_path.name}']


@pytest.mark.parametrize('number', [errno.EINVAL, errno.ENOTSUP])
def test_a_disk_that_cannot_be_asked_to_flush_is_written_all_the_same(tmp_path, monkeypatch, number):
    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, 'fsync', fail)
    write_volume(tmp_path / 'scan.mhd', make_volume())
    assert_same(read_volume(tmp_path / 'scan.mhd'), make_volume())


@pytest.mark.parametrize('value', [numpy.nan, numpy.inf, 1e300])
def test_values_that_are_not_finite_are_not_written(tmp_path, value):
    volume = make_volume(dtype=numpy.float64)
    volume.array[0, 1, 2, 3] = value
    with pytest.raises(UserError, match='a.mhd: 1 of 210 values are not finite'):
        write_volume(tmp_path / 'out/a.mhd', volume)
    assert not names(tmp_path)


def test_a_single_slice_is_not_written(tmp_path):
    with pytest.raises(UserError, match='a.mhd: a volume of .5, 1, 7. voxels'):
        write_volume(tmp_path / 'a.mhd', make_volume(size=(5, 1, 7)))
    assert not names(tmp_path)


@pytest.mark.parametrize('part', ['spacing', 'origin', 'direction'])
def test_a_place_that_is_not_finite_is_not_written(tmp_path, part):
    volume = make_volume()
    places = dict(zip(('spacing', 'origin', 'direction'), make_geometry(volume)))
    places[part] = (numpy.nan, *places[part][1:])
    with pytest.raises(UserError, match='^.*a.mhd: its'):
        write_volume(tmp_path / 'a.mhd', Volume(volume.array, **places))
    assert not names(tmp_path)


def test_a_volume_of_another_suffix_or_type_is_not_written(tmp_path):
    with pytest.raises(ValueError, match='written as .mhd'):
        write_volume(tmp_path / 'a.mha', make_volume())
    with pytest.raises(ValueError, match='complex64 is no type'):
        write_volume(tmp_path / 'a.mhd', make_volume(dtype=numpy.complex64))
    assert not names(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match='a.mhd: cannot be written: .*file is a file, and no folder'):
        write_volume(tmp_path / 'file' / 'a.mhd', make_volume())
    (tmp_path / 'a.mhd').mkdir()
    with pytest.raises(UserError, match='a.mhd: cannot be written: Is a directory'):
        write_volume(tmp_path / 'a.mhd', make_volume())
    assert names(tmp_path) == ['a.mhd', 'file']
