"""DICOM series, against SimpleITK's own reader of them; and those that are no volume."""
import os
from dataclasses import replace

import numpy
import pytest
import SimpleITK as sitk

from tests.util.volumes.dicom_files import save_series
from tests.util.volumes.files import channel_images, make_volume, refusal
from util.script import UserError
from util.volumes.reading import read_volume
from util.volumes.volume import Volume


def oblique():
    """Right-handed axes that no two axes of the body share."""
    axes, _ = numpy.linalg.qr(numpy.random.default_rng(5).normal(size=(3, 3)))
    axes *= numpy.linalg.det(axes)
    return replace(make_volume(size=(5, 6, 7)), spacing=(0.9, 1.1, 2.5), direction=tuple(axes.ravel()))


def test_a_series_is_read_in_the_order_of_its_slices_as_simpleitk_does(tmp_path):
    volume = oblique()
    save_series(tmp_path / 'a', volume)
    (tmp_path / 'a/notes.txt').write_text('not a slice')
    read = read_volume(tmp_path / 'a')
    assert read.array.dtype == numpy.int16
    numpy.testing.assert_array_equal(read.array, volume.array)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / 'a')))
    image = reader.Execute()
    numpy.testing.assert_array_equal(read.array[0], sitk.GetArrayFromImage(image))
    for own, other in ((read.spacing, image.GetSpacing()), (read.origin, image.GetOrigin()),
                       (read.direction, image.GetDirection()), (read.direction, volume.direction)):
        assert own == pytest.approx(other, abs=1e-5)


@pytest.mark.parametrize('name', ['', '0003.dcm'])
def test_a_path_that_is_not_utf8_is_refused(tmp_path, name):
    """SimpleITK would end the process."""
    save_series(tmp_path / 'a', make_volume())
    path = tmp_path / 'a' / name
    path.rename(path.with_name(os.fsdecode(b'\xff.dcm')))
    with pytest.raises(UserError, match=r'\\udcff.*: its path is not UTF-8, which SimpleITK needs'):
        read_volume(next(tmp_path.iterdir()))


def test_the_rescale_slope_is_applied(tmp_path):
    """Also where not every slice has the same."""
    volume = make_volume()
    save_series(tmp_path / 'a', replace(volume, array=2 * volume.array - 3), change=lambda number, tags: tags.update(
        {'0028|1053': '2', '0028|1052': '-3'} if number > 1 else {}))
    numpy.testing.assert_array_equal(read_volume(tmp_path / 'a').array, 2 * volume.array - 3)


def shift(axis, step):
    """Move each slice along one of the patient's axes by so many mm for each slice before it."""
    def change(number, tags):
        place = [float(word) for word in tags['0020|0032'].split('\\')]
        place[axis] += step * number
        tags['0020|0032'] = '\\'.join(f'{value:.6f}' for value in place)
    return change


def tag(name, value, number=1):
    return lambda slice, tags: tags.update({name: value}) if slice == number else None


STRAIGHT = Volume(make_volume().array, (1.0, 1.0, 3.0), (-10.0, 5.0, 2.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


@pytest.mark.parametrize('change, words', [
    (lambda number, tags: number != 2, 'not evenly spaced, or some are missing: 6 mm from 0010.dcm to 0024.dcm, mostly '
                                       '3 mm'),
    (tag('0020|0032', '-10\\5\\5.16'), 'not evenly spaced, or some are missing: 3.16 mm from'),
    (tag('0020|0032', '-10\\5\\2'), 'two slices at one place, 0003.dcm and 0010.dcm: several volumes'),
    (shift(1, 0.3), 'by a gantry tilted by 5.71 degrees'),
    (tag('0020|0037', '0\\1\\0\\1\\0\\0'), 'the slices have several directions'),
    (lambda number, tags: number == 0, 'a DICOM series of one slice'),
    (tag('0020|000e', '1.2.77'), "2 DICOM series: 'series 1.2.3' (4 files), 'series 1.2.3' (1 files); put the files"),
])
def test_a_series_that_is_no_volume_is_refused_with_the_reason(tmp_path, change, words):
    save_series(tmp_path / 'a', STRAIGHT, change=change)
    assert words in _refusal(tmp_path / 'a')


def _refusal(path):
    """The one line, which may name a file below."""
    with pytest.raises(UserError) as caught:
        read_volume(path)
    assert str(caught.value).startswith(str(path)) and '\n' not in str(caught.value)
    return str(caught.value)


def test_a_slice_without_a_position_is_refused(tmp_path):
    save_series(tmp_path / 'a', STRAIGHT)
    content = (tmp_path / 'a/0010.dcm').read_bytes()
    assert content.count(b'\x20\0\x32\0') == 1
    (tmp_path / 'a/0010.dcm').write_bytes(content.replace(b'\x20\0\x32\0', b'\x20\0\x33\0'))
    assert "0010.dcm: it does not say where it lies: its tag (0020,0032) is ''" in _refusal(tmp_path / 'a')


def test_positions_rounded_as_scanners_do_are_even(tmp_path):
    volume = replace(STRAIGHT, spacing=(1.0, 1.0, 1.0 / 3))
    save_series(tmp_path / 'a', volume, change=lambda number, tags: tags.update(
        {'0020|0032': f'-10\\5\\{2 + number / 3:.2f}'}))
    assert read_volume(tmp_path / 'a').spacing[2] == pytest.approx(1 / 3, abs=0.003)


def test_slices_that_are_a_twentieth_of_their_distance_off_are_even(tmp_path):
    save_series(tmp_path / 'a', STRAIGHT, change=tag('0020|0032', '-10\\5\\5.14'))
    assert read_volume(tmp_path / 'a').spacing[2] == pytest.approx(3)


def test_colours_and_frames_are_refused(tmp_path):
    image = channel_images(STRAIGHT)[0]
    sitk.WriteImage(sitk.Cast(image, sitk.sitkUInt8), str(tmp_path / 'frames.dcm'))
    sitk.WriteImage(sitk.Compose(*[sitk.Cast(image[:, :, 0], sitk.sitkUInt8)] * 3), str(tmp_path / 'colours.dcm'))
    for name, words in (('frames', 'several frames in one DICOM file; convert it to NIfTI'),
                        ('colours', 'its voxels are colours')):
        (tmp_path / name).mkdir()
        (tmp_path / f'{name}.dcm').rename(tmp_path / f'{name}/1.dcm')
        assert words in _refusal(tmp_path / name)


def test_a_damaged_slice_at_the_end_is_not_passed_over(tmp_path):
    """As GDCM does, and no gap would show it."""
    save_series(tmp_path / 'cut', STRAIGHT)
    content = (tmp_path / 'cut/0031.dcm').read_bytes()
    (tmp_path / 'cut/0031.dcm').write_bytes(content[:-20])
    assert 'cut/0031.dcm: truncated or damaged: its element (7fe0,0010)' in _refusal(tmp_path / 'cut')
    (tmp_path / 'cut/0031.dcm').write_bytes(content[:132])
    assert 'cut/0031.dcm: a DICOM file that is damaged, or of no series' in _refusal(tmp_path / 'cut')


def test_a_file_of_a_series_and_a_folder_without_one_are_refused(tmp_path):
    save_series(tmp_path / 'a', STRAIGHT)
    assert 'one file of a DICOM series; name the folder' in refusal(tmp_path / 'a/0003.dcm')
    (tmp_path / 'empty').mkdir()
    assert 'a folder without a DICOM series in it' in refusal(tmp_path / 'empty')
