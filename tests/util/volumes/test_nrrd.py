"""NRRD: what ITK would read wrongly without a word is refused by name."""
import gzip
import os

import numpy
import pytest
import SimpleITK as sitk

from tests.util.volumes.files import make_volume, patch, refusal, save, save_components
from util.script import UserError
from util.volumes.reading import read_volume

HEADER = {'type': 'short', 'dimension': '3', 'space': 'left-posterior-superior', 'sizes': '7 6 5',
          'space directions': '(0.8,0.6,0) (-0.75,1,0) (0,0,0.5)', 'kinds': 'domain domain domain', 'endian': 'little',
          'encoding': 'raw', 'space origin': '(-80.1,33,1e-7)'}
VOXELS = make_volume().array[0]


def write(folder, voxels=None, first='NRRD0004\n# a comment\n', suffix='.nrrd', more='', **fields):
    """A NRRD file with fields changed (None: left out) or added; a _ in a name is a blank."""
    fields = {**HEADER, **{name.replace('_', ' '): value for name, value in fields.items()}}
    text = first + ''.join(f'{name}: {value}\n' for name, value in fields.items() if value is not None) + more
    path = folder / f'a{suffix}'
    voxels = VOXELS.tobytes() if voxels is None else voxels
    path.write_bytes(text.encode() + (b'\n' + voxels if suffix == '.nrrd' else b''))
    if suffix == '.nhdr':
        (folder / 'a.raw').write_bytes(voxels)
    return path


def test_the_file_that_all_others_differ_from_reads_as_simpleitk_reads_it(tmp_path):
    for path in (write(tmp_path), write(tmp_path, suffix='.nhdr', data_file='a.raw')):
        volume, image = read_volume(path), sitk.ReadImage(str(path))
        numpy.testing.assert_array_equal(volume.array[0], VOXELS)
        assert (volume.spacing, volume.origin, volume.direction) == (
            image.GetSpacing(), image.GetOrigin(), image.GetDirection())
        numpy.testing.assert_allclose(volume.spacing, (1, 1.25, 0.5))


@pytest.mark.parametrize('fields, said', [
    (dict(dimension='-1'), 'dimension is -1; 3 axes'), (dict(dimension='0'), 'dimension is 0'),
    (dict(dimension='99999'), 'dimension is 99999'), (dict(dimension='2'), 'dimension is 2'),
    (dict(dimension=None), '"dimension: "'), (dict(dimension='x'), 'dimension'), (dict(sizes='7 6'), 'sizes'),
    (dict(sizes='7 6 -5'), 'sizes'), (dict(sizes='7 6 0'), 'sizes'), (dict(sizes=None), 'sizes'),
    (dict(sizes='210 1 1'), 'its size is 210 x 1 x 1'), (dict(sizes='7 6 6'), 'truncated: '),
    (dict(sizes='7 6 4'), 'too long: '), (dict(sizes='20000 20000 20000'), 'more than memory can hold'),
    (dict(type='float'), 'truncated: '), (dict(type='uchar'), 'too long: '),

    (dict(type='block'), "its type is 'block'"), (dict(type=None), 'type'), (dict(endian=None), 'endian is None'),
    (dict(endian='middle'), 'endian'),
    (dict(encoding='ascii'), "its encoding is 'ascii'; raw or gzip"), (dict(encoding='bzip2'), 'encoding'),
    (dict(encoding='gzip'), 'truncated or damaged'), (dict(encoding=None), 'encoding'),
    (dict(space_directions='(1,0,0) (0,1,0)'), '3 vectors are needed'),
    (dict(space_directions='(1,0,0) (0,1,0) (0,0,nan)'), 'a vector of its space'),
    (dict(space_directions='(1,0,0) (0,1,0) (0,0,0)'), 'cannot be read|mm large'),
    (dict(space_directions='(1,0,0) (0,1,0) 0,0,1'), '3 vectors are needed'),
    (dict(space_directions='(1,0,0) (0.2,1,0) (0,0,1)'), 'sheared'),
    (dict(space_origin='(0,0,inf)'), 'a vector of its space'), (dict(space_origin='0 0 0'), 'a vector of its space'),
    (dict(space='scanner-xyz'), "its space is 'scanner-xyz'"), (dict(space_dimension='9'), 'space dimension'),
    (dict(kinds='domain domain vector'), 'space'), (dict(sizez='1'), "'sizez: 1' is no line of a NRRD header"),
    (dict(byte_skip='4'), 'truncated: '), (dict(byte_skip='-2'), 'byte skip -2'),
    (dict(line_skip='1'), 'line skip is 1'),
    (dict(data_file='LIST'), 'its voxels lie in several files'), (dict(data_file='b.raw'), 'b.raw: no such file'),
    (dict(data_file='s%03d.raw 1 5 1'), 'its voxels lie in several files')])
def test_a_header_that_is_none_is_refused(tmp_path, capfd, fields, said):
    message = refusal(write(tmp_path, **fields))
    assert any(words in message for words in said.split('|'))
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('first', ['NRRD\n', 'NRRD0009\n', 'NRRD0004\nsizes 7 6 5\n', 'NRRD0004\n\x01\n',
                                   'NRRD0004\nsizes: 7 6 5\n'])
def test_lines_that_are_none_are_refused(tmp_path, first):
    assert 'its header is damaged' in refusal(write(tmp_path, first=first))


def test_a_header_without_an_end_is_refused(tmp_path):
    path = write(tmp_path, suffix='.nhdr')
    assert 'no empty line ends it' in refusal(path)


@pytest.mark.parametrize('space', ['space: LPS', 'space: right-anterior-superior', 'space: RAS', 'space dimension: 3',
                                   'space: left-anterior-superior'])
def test_spaces_that_itk_turns_into_its_own_are_read(tmp_path, space):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'space: left-posterior-superior', space.encode()))
    volume, image = read_volume(path), sitk.ReadImage(str(path))
    assert (volume.spacing, volume.origin, volume.direction) == (
        image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def test_words_and_other_line_ends_are_passed_over(tmp_path):
    path = write(tmp_path, more='DWMRI_b-value:=1000\nkey:=a: b\n', content='"what"', space_units='"mm" "mm" "mm"')
    numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)


@pytest.mark.parametrize('fields, said', [
    (dict(space_directions=None, space=None, space_origin=None), 'names no spacings; voxels of 1 mm are taken'),
    (dict(space_units='"um" "um" "um"'), 'its numbers are taken as mm')])
def test_what_simpleitk_makes_of_a_header_is_said_where_it_may_surprise(tmp_path, capfd, fields, said):
    path = write(tmp_path, **fields)
    numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)
    assert said in capfd.readouterr().err


def test_a_list_of_values_may_be_the_first_or_the_last_axis(tmp_path):
    volume = make_volume(channels=3)
    expected = read_volume(save_components(tmp_path / 'a.nrrd', volume)).array
    vectors = '(1,0,0) (0,1,0) (0,0,1) none'
    path = write(tmp_path, volume.array.tobytes(), dimension='4', sizes='7 6 5 3', space_directions=vectors,
                 kinds='domain domain domain list')
    numpy.testing.assert_array_equal(read_volume(path).array, expected)


def test_a_byte_skip_is_passed_over(tmp_path):
    for skip in ('20', '-1'):
        for suffix in ('.nrrd', '.nhdr'):
            more = dict(data_file='a.raw') if suffix == '.nhdr' else {}
            path = write(tmp_path, b'x' * 20 + VOXELS.tobytes(), suffix=suffix, byte_skip=skip, **more)
            numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)


@pytest.mark.parametrize('more', [-1, 1, -200])
@pytest.mark.parametrize('suffix', ['.nrrd', '.nhdr'])
def test_raw_voxels_that_are_too_few_or_too_many_are_refused(tmp_path, suffix, more):
    path = save(tmp_path / f'a{suffix}', VOXELS)
    file = path.with_suffix('.raw') if suffix == '.nhdr' else path
    os.truncate(file, file.stat().st_size + more)
    assert ('truncated' if more < 0 else 'too long') in refusal(path)


def test_a_flipped_bit_anywhere_in_packed_voxels_is_refused(tmp_path):
    path = save(tmp_path / 'a.nrrd', VOXELS, compressed=True)
    whole = path.read_bytes()
    for place in range(whole.index(b'\n\n') + 2, len(whole)):
        patch(path, place, bytes([whole[place] ^ 1 << place % 8]))
        try:
            numpy.testing.assert_array_equal(read_volume(path).array[0], VOXELS)
        except UserError:
            refusal(path)
        patch(path, place, whole[place:place + 1])


def test_packed_voxels_of_another_length_are_refused(tmp_path):
    for content, said in ((gzip.compress(bytes(419)), 'truncated: 420 bytes of voxels are needed, 419 are packed'),
                          (gzip.compress(bytes(421)), 'too long: its header asks for 420 bytes'),
                          (gzip.compress(bytes(420)) + b'x', 'too long: more follows'),
                          (gzip.compress(bytes(420))[:-4], 'truncated: 420 bytes'),
                          (gzip.compress(bytes(200)) + gzip.compress(bytes(220)), 'truncated: 420 bytes'),
                          (numpy.random.default_rng(0).bytes(300), 'truncated or damaged')):
        assert said in refusal(write(tmp_path, content, encoding='gzip'))
