"""MetaImage: what ITK would crash on or read wrongly without a word is refused by name."""
import os
import subprocess
import sys
import zlib

import numpy
import pytest
import SimpleITK as sitk

from tests.util.volumes.files import make_volume, patch, refusal, save
from util.script import PROJECT, UserError
from util.volumes.reading import read_volume

HEADER = {'ObjectType': 'Image', 'NDims': '3', 'BinaryData': 'True', 'BinaryDataByteOrderMSB': 'False',
          'CompressedData': 'False', 'TransformMatrix': '0.8 0.6 0 -0.6 0.8 0 0 0 1', 'Offset': '-80.1 33 1e-7',
          'CenterOfRotation': '0 0 0', 'ElementSpacing': '1 1.25 0.5', 'DimSize': '7 6 5', 'ElementType': 'MET_SHORT',
          'ElementDataFile': 'a.raw'}
VOXELS = make_volume().array[0]


def write(folder, content=None, first='', **fields):
    """A .mhd file with fields changed (None: left out) or added, and its voxels."""
    fields = {**HEADER, **fields}
    fields['ElementDataFile'] = fields.pop('ElementDataFile')  # always the last
    text = first + ''.join(f'{name} = {value}\n' for name, value in fields.items() if value is not None)
    (folder / 'a.mhd').write_text(text)
    (folder / 'a.raw').write_bytes(VOXELS.tobytes() if content is None else content)
    return folder / 'a.mhd'


def test_the_file_that_all_others_differ_from_reads_as_simpleitk_reads_it(tmp_path):
    path = write(tmp_path)
    volume, image = read_volume(path), sitk.ReadImage(str(path))
    numpy.testing.assert_array_equal(volume.array[0], VOXELS)
    assert (volume.spacing, volume.origin, volume.direction) == (
        image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    assert volume.spacing == (1, 1.25, 0.5) and volume.direction == (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1)


def test_voxels_stay_as_long_as_their_array_and_are_its_own_to_change(tmp_path):
    """They are not copied from SimpleITK's image, which goes when nothing holds it."""
    arrays = [read_volume(write(tmp_path)).array[0, 1:] for _ in range(20)]
    for number, array in enumerate(arrays):
        array += number
    for number, array in enumerate(arrays):
        numpy.testing.assert_array_equal(array, VOXELS[1:] + number)


@pytest.mark.parametrize('fields, said', [
    (dict(NDims='-1'), 'NDims is -1; 3 axes'), (dict(NDims='0'), 'NDims is 0'), (dict(NDims='10'), 'NDims is 10'),
    (dict(NDims='2'), 'NDims is 2'), (dict(NDims='4294967299'), 'NDims is 4294967299'), (dict(NDims='3.5'), 'NDims'),
    (dict(NDims='three'), "NDims is 'three'"), (dict(NDims=''), 'NDims'), (dict(NDims=None), '"NDims = "'),
    (dict(DimSize='7 6'), "DimSize is '7 6'"), (dict(DimSize='7 6 5 1'), 'DimSize'), (dict(DimSize=None), 'DimSize'),
    (dict(DimSize='7 6 -5'), 'DimSize'), (dict(DimSize='0 6 5'), 'DimSize'), (dict(DimSize='7 6 9e10'), 'DimSize'),
    (dict(DimSize='210 1 1'), 'its size is 210 x 1 x 1, with 1 values per voxel; a 3D'),
    (dict(DimSize='7 6 6'), 'truncated: 504 bytes are needed, 420 are there'),
    (dict(DimSize='7 6 4'), 'too long: its header asks for 336 bytes, 420 are there'),
    (dict(DimSize='20000 20000 20000'), 'more than memory can hold'),
    (dict(ElementType='MET_FLOAT'), 'truncated: 840 bytes'), (dict(ElementType='MET_UCHAR'), 'too long'),
    (dict(ElementType='MET_STRING'), "its ElementType is 'MET_STRING'; it must be one of MET_CHAR"),
    (dict(ElementType=None), 'ElementType'), (dict(ElementType=''), 'ElementType'),
    (dict(ElementNumberOfChannels='2'), 'truncated'), (dict(ElementNumberOfChannels='0'), 'ElementNumberOfChannels'),
    (dict(ElementNumberOfChannels='-1'), 'ElementNumberOfChannels'),
    (dict(ElementSpacing='1 nan 1'), "ElementSpacing is '1 nan 1'"), (dict(ElementSpacing='1 0 1'), 'above 0'),
    (dict(ElementSpacing='1 -1 1'), 'above 0'), (dict(ElementSpacing='1 1e999 1'), 'ElementSpacing'),
    (dict(ElementSpacing='1 1'), 'ElementSpacing'), (dict(Offset='0 inf 0'), 'Offset'),
    (dict(Offset='0 0 zero'), 'Offset'), (dict(TransformMatrix='1 0 0 0 1 0 0 0 nan'), 'TransformMatrix'),
    (dict(TransformMatrix='1 0 0 0.1 1 0 0 0 1'), 'sheared'), (dict(TransformMatrix='2 0 0 0 1 0 0 0 1'), 'sheared'),
    (dict(TransformMatrix='0 0 0 0 0 0 0 0 0'), 'determinant'), (dict(TransformMatrix='1 0 0'), 'TransformMatrix'),
    (dict(Position='1 2 3'), 'contradicts itself: Offset and Position'),
    (dict(ElementByteOrderMSB='True'), 'contradicts itself'), (dict(CompressedData='yes'), 'CompressedData'),
    (dict(BinaryData='False'), 'written as text'), (dict(ObjectType='Tube'), "its ObjectType is 'Tube'"),
    (dict(ElementSpacinf='1 1 1'), "'ElementSpacinf' is no field of a MetaImage; 'ElementSpacing' is"),
    (dict(offset='1 1 1'), "'offset' is no field"), (dict(OffSet='1 1 1'), 'no field'),
    (dict(Ofset='1 1 1'), 'no field'), (dict(Offsett='1 1 1'), 'no field'),
    (dict(Comment='x' * 300), 'Comment is longer than 250 bytes'),
    (dict(ElementDataFile=None), 'no line says "ElementDataFile = "'), (dict(ElementDataFile=''), 'no file is named'),
    (dict(ElementDataFile='LIST'), 'its voxels lie in several files'),
    (dict(ElementDataFile='LIST 2D'), 'its voxels lie in several files'),
    (dict(ElementDataFile='slice%03d.raw 1 5 1'), 'its voxels lie in several files'),
    (dict(ElementDataFile='b.raw'), 'b.raw: no such file'), (dict(ElementDataFile='.'), 'a folder'),
    (dict(ElementDataFile='/dev/zero'), 'not a regular file'), (dict(HeaderSize='-2'), 'HeaderSize is -2'),
    (dict(HeaderSize='8'), 'truncated: 428 bytes'), (dict(CompressedData='True'), 'truncated or damaged'),
    (dict(CompressedData='True', HeaderSize='8'), 'HeaderSize is 8'),
])
def test_a_header_that_is_none_is_refused(tmp_path, fields, said, capfd):
    message = refusal(write(tmp_path, **fields))
    assert said in message
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('first', ['\x01', 'NDims\n', ' = 3\n', 'Comment = \x00\n', 'NDims = 3\n', 'Name = a\rb\n'])
def test_lines_that_are_none_are_refused(tmp_path, first):
    assert 'its header is damaged' in refusal(write(tmp_path, first=first))


def test_what_has_no_meaning_for_a_volume_is_passed_over(tmp_path):
    path = write(tmp_path, first='\nComment = \n\n', Modality='MET_MOD_MR', PatientID='7', Tag='=x=:',
                 ImageOrientationPatient='1 0 0', Long='y' * 2000, Name='ü')
    numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)


def test_other_line_ends_and_separators_are_read(tmp_path):
    path = write(tmp_path)
    for text in (path.read_text().replace('\n', '\r\n'), path.read_text().replace(' = ', ':'),
                 path.read_text().rstrip('\n'), path.read_text().replace(' = ', '='),
                 path.read_text().replace('Offset', 'Position').replace('TransformMatrix', 'Orientation')):
        path.write_bytes(text.encode())
        volume = read_volume(path)
        numpy.testing.assert_array_equal(volume.array[0], VOXELS)
        assert volume.origin == (-80.1, 33, 1e-7) and volume.direction[:2] == (0.8, -0.6)


@pytest.mark.parametrize('fields, said', [
    (dict(ElementSpacing=None), 'names no ElementSpacing; voxels of 1 mm are taken'),
    (dict(DistanceUnits='um'), 'its DistanceUnits are um; its numbers are taken as mm'),
    (dict(ElementToIntensityFunctionSlope='2'), 'its ElementToIntensityFunction is not applied')])
def test_what_simpleitk_makes_of_a_header_is_said_where_it_may_surprise(tmp_path, capfd, fields, said):
    path = write(tmp_path, **fields)
    numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)
    assert said in capfd.readouterr().err


def test_a_header_size_is_passed_over(tmp_path):
    expected = read_volume(write(tmp_path)).array
    for size in ('20', '-1'):
        path = write(tmp_path, b'x' * 20 + VOXELS.tobytes(), HeaderSize=size)
        numpy.testing.assert_array_equal(read_volume(path).array, expected)


def test_big_endian_voxels_are_read(tmp_path):
    path = write(tmp_path, VOXELS.astype('>i2').tobytes(), BinaryDataByteOrderMSB='True')
    numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)


@pytest.mark.parametrize('more', [-1, 1, -200])
@pytest.mark.parametrize('suffix', ['.mhd', '.mha'])
def test_raw_voxels_that_are_too_few_or_too_many_are_refused(tmp_path, suffix, more, capfd):
    path = save(tmp_path / f'a{suffix}', VOXELS)
    file = path.with_suffix('.raw') if suffix == '.mhd' else path
    os.truncate(file, file.stat().st_size + more)
    assert ('truncated' if more < 0 else 'too long') in refusal(path)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('suffix', ['.mhd', '.mha'])
def test_a_flipped_bit_anywhere_in_packed_voxels_is_refused(tmp_path, suffix):
    path = save(tmp_path / f'a{suffix}', VOXELS, compressed=True)
    numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)
    file = path.with_suffix('.zraw') if suffix == '.mhd' else path
    whole = file.read_bytes()
    for place in range(whole.index(b'LOCAL\n') + 6 if suffix == '.mha' else 0, len(whole)):
        patch(file, place, bytes([whole[place] ^ 1 << place % 8]))
        try:  # a bit may say nothing, such as the padding of the last byte
            numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)
        except UserError:
            refusal(path)
        patch(file, place, whole[place:place + 1])


def test_packed_voxels_that_are_noise_or_of_another_length_are_refused(tmp_path):
    path = save(tmp_path / 'a.mhd', VOXELS, compressed=True)
    file, whole = path.with_suffix('.zraw'), path.with_suffix('.zraw').read_bytes()
    file.write_bytes(numpy.random.default_rng(0).bytes(len(whole)))
    assert 'truncated or damaged' in refusal(path)
    for content, said in ((whole[:-5], 'truncated: CompressedDataSize is'),
                          (whole + b'x', 'too long: CompressedDataSize is')):
        file.write_bytes(content)
        assert said in refusal(path)
    text = '\n'.join(line for line in path.read_text().split('\n') if 'CompressedDataSize' not in line)
    path.write_text(text)
    for content, said in ((whole[:-5], 'truncated: 420 bytes'), (whole + b'x', 'too long: more follows'),
                          (zlib.compress(bytes(419)), 'truncated: 420 bytes of voxels are needed, 419 are packed'),
                          (zlib.compress(bytes(421)), 'too long: its header asks for 420 bytes'),
                          (zlib.compress(bytes(1 << 26)), 'too long: its header asks for 420 bytes')):
        file.write_bytes(content)
        assert said in refusal(path)
    file.write_bytes(whole)
    numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)
    local = path.with_suffix('.mha')
    local.write_bytes(text.replace('a.zraw', 'LOCAL').encode() + whole)
    assert 'CompressedDataSize is 0' in refusal(local)  # ITK takes the header for packed voxels then


def test_highly_compressible_voxels_are_read(tmp_path):
    zeros = numpy.zeros((40, 400, 400), numpy.int16)
    numpy.testing.assert_array_equal(read_volume(save(tmp_path / 'a.mhd', zeros, compressed=True)).array[0], zeros)


def test_negative_axes_in_one_file_do_not_cost_the_others(tmp_path):
    """In a process of its own: ITK's answer to NDims = -1 is a segmentation fault."""
    write(tmp_path, NDims='-1').rename(tmp_path / 'bad.mhd')
    good = write(tmp_path)
    code = ('import sys\nfrom util.script import UserError\nfrom util.volumes.reading import read_volume\n'
            'for path in sys.argv[1:]:\n'
            '    try:\n        print(read_volume(path).size)\n    except UserError as error:\n        print(error)')
    done = subprocess.run([sys.executable, '-c', code, tmp_path / 'bad.mhd', good], cwd=PROJECT, capture_output=True,
                          text=True)
    assert done.returncode == 0 and done.stderr == ''
    assert 'NDims is -1' in done.stdout and done.stdout.endswith('(5, 6, 7)\n')
