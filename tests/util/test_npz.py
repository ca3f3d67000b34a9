"""An .npz file from elsewhere: what it says of itself is checked before anything is believed, allocated or run."""
import io
import struct
import warnings
import zipfile

import numpy
import pytest

from util.npz import MOST_BYTES, Npz
from util.script import UserError

WANTED = numpy.zeros((2, 3), numpy.float32)


def npy(array):
    file = io.BytesIO()
    numpy.lib.format.write_array(file, numpy.asarray(array), allow_pickle=True)
    return file.getvalue()


def with_header(text, data=b'', version=(1, 0)):
    """An .npy file with a header of one's own."""
    header = text.encode('latin1')
    return b'\x93NUMPY' + bytes(version) + struct.pack('<H' if version == (1, 0) else '<I', len(header)) + header + data


def described(shape, descr="'<f4'", order='False'):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


@pytest.fixture
def read(tmp_path):
    """Writes members (name -> bytes) and reads the array ``a`` as one that takes WANTED's place."""
    def call(members, compression=zipfile.ZIP_DEFLATED, wanted=WANTED):
        with zipfile.ZipFile(tmp_path / 'a.npz', 'w', compression) as archive, warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of names that are there twice
            for name, content in members if isinstance(members, list) else members.items():
                archive.writestr(name, content)
        with Npz(tmp_path / 'a.npz', 'model file') as archive:
            return archive.like('a', wanted)
    return call


@pytest.mark.parametrize('array', [
    numpy.arange(6).reshape(2, 3).astype(dtype) for dtype in ('float16', 'float32', 'float64', '>f4', '>f8')] + [
    numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3))])
def test_any_floating_point_type_becomes_the_wanted_one(read, array):
    made = read({'a.npy': npy(array), 'other.txt': b'no array'})
    assert made.dtype == numpy.float32
    numpy.testing.assert_array_equal(made, array)


@pytest.mark.parametrize('compression', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_numpy_writes_is_read(read, compression):
    numpy.testing.assert_array_equal(read({'a.npy': npy(WANTED)}, compression), WANTED)


@pytest.mark.parametrize('array', [numpy.zeros((2, 3), dtype) for dtype in (
    'int32', 'bool', 'complex64', 'U3', 'longdouble')] + [numpy.zeros((3, 2), 'f4'), numpy.zeros(6, 'f4'), 0.0])
def test_another_type_or_shape_is_no_fit(read, array):
    with pytest.raises(ValueError, match=r'^a (has shape .*; this network needs \(2, 3\)|is of type .*needs float32)$'):
        read({'a.npy': npy(array)})


@pytest.mark.parametrize('number', [numpy.nan, numpy.inf, -numpy.inf])
def test_numbers_that_are_not_finite_are_refused(read, number):
    with pytest.raises(UserError, match='a.npz: a has weights that are not finite'):
        read({'a.npy': npy(numpy.full((2, 3), number, 'f4'))})
    with pytest.raises(UserError, match='a has weights that are not finite'):
        read({'a.npy': npy(numpy.full((2, 3), 1e300))})  # too large for float32


def test_a_number_that_starts_infinite_may_be_so_but_is_never_nan(read):
    assert read({'a.npy': npy(-numpy.inf)}, wanted=numpy.array(-numpy.inf)) == -numpy.inf
    with pytest.raises(UserError, match='not finite'):
        read({'a.npy': npy(numpy.nan)}, wanted=numpy.array(-numpy.inf))


@pytest.mark.parametrize('content, words', [
    (b'', 'magic string'), (b'text', 'magic string'), (npy(WANTED)[:40], 'header'),
    (npy(WANTED)[:-1], '24 bytes, not 23'), (npy(WANTED) + b'\0', '24 bytes, not 25'),
    (npy(numpy.array([None, {}], dtype=object)), 'only pickle can read'),
    (npy(numpy.zeros(3, [('x', 'f4')])), 'type'), (npy(numpy.zeros(2, 'M8[s]')), 'type'),
    (npy(numpy.zeros(2, 'S3')), 'type'),
    (with_header(described('(1000000000000, 1000)')), '4000000000000000 bytes, not 0'),
    (with_header(described(f'({2 ** 62}, {2 ** 62})')), 'bytes, not 0'), (with_header(described('(-2, 3)')), 'bytes'),
    (with_header(described('(-2, -3)'), bytes(24)), 'shape'), (with_header(described('()', "'<U1000000000'")), 'a: '),
    (with_header(described('(2, 3)', "'<U0'")), ''), (with_header(described('(2.0, 3)'), bytes(24)), 'shape'),
    (with_header(described('None'), bytes(24)), 'shape'), (with_header(described('(2, 3)', "'\\\\d'"), bytes(24)), ''),
    (with_header('{'), ''), (with_header('[1]'), ''),
    (with_header('(' * 5000), ''), (with_header('-' * 9000 + '1'), 'no header of a plain array'),
    (with_header(described('(2, 3)'), bytes(24), (3, 0)), 'no header of a plain array'),
    (with_header(described('(2, 3)') + ' ' * 10 ** 7, bytes(24), (2, 0)), 'a: '),
    (with_header(described('(2, 3)', "('<f4', (2, 3))"), bytes(144)), 'type'),
    (with_header("__import__('os').system('touch hit')"), ''),
])
def test_a_damaged_or_hostile_header_is_one_line(read, content, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match='a.npz: not a model file, or damaged: a: ') as caught:
        read({'a.npy': content})
    assert words in str(caught.value) and '\n' not in str(caught.value) and not (tmp_path / 'hit').exists()


def test_a_header_of_python_2_is_read_without_a_word(read):
    numpy.testing.assert_array_equal(read({'a.npy': with_header(described('(2L, 3L)'), bytes(24))}), WANTED)


@pytest.mark.parametrize('members, words', [
    ([('a.npy', npy(WANTED))] * 2, 'two arrays of one name'), ({'a.npy': npy(WANTED), 'a': b''}, 'two arrays of one'),
    ({'../a.npy': npy(WANTED)}, r'an array is called \.\./a'), ({'/a.npy': npy(WANTED)}, 'an array is called /a'),
    ({'b/../../a.npy': npy(WANTED)}, 'an array is called')])
def test_strange_names_are_refused(read, members, words):
    with pytest.raises(UserError, match=f'a.npz: not a model file, or damaged: {words}'):
        read(members)


@pytest.mark.parametrize('compression', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(read, compression):
    with pytest.raises(UserError, match='packed in a way that NumPy does not write'):
        read({'a.npy': npy(WANTED)}, compression)


def directory(path, offset, value):
    """Write a number of four bytes into the first entry of the zip file's directory."""
    content = bytearray(path.read_bytes())
    start = content.index(b'PK\x01\x02')
    content[start + offset:start + offset + 4] = struct.pack('<I', value)
    path.write_bytes(content)


def test_a_file_that_unpacks_to_too_much_is_refused_before_anything_is_read(tmp_path):
    numpy.savez(tmp_path / 'a.npz', **{f'a{i}': WANTED for i in range(5)})
    content = bytearray((tmp_path / 'a.npz').read_bytes())
    start = -1
    while (start := content.find(b'PK\x01\x02', start + 1)) > 0:
        content[start + 24:start + 28] = struct.pack('<I', 2 ** 32 - 2)
    (tmp_path / 'a.npz').write_bytes(content)
    with pytest.raises(UserError, match=f'it unpacks to more than {MOST_BYTES >> 30} GiB'):
        Npz(tmp_path / 'a.npz', 'model file')


def test_a_size_that_is_a_lie_is_one_line(tmp_path):
    numpy.savez_compressed(tmp_path / 'a.npz', a=WANTED)
    directory(tmp_path / 'a.npz', 24, 2 ** 31)
    with Npz(tmp_path / 'a.npz', 'model file') as archive, pytest.raises(UserError, match='24 bytes, not 2147483520'):
        archive.array('a')


def test_one_flipped_bit_in_an_array_is_seen(tmp_path):
    numpy.savez(tmp_path / 'a.npz', a=WANTED)
    content = bytearray((tmp_path / 'a.npz').read_bytes())
    content[content.index(b'PK\x01\x02') - 5] ^= 1
    (tmp_path / 'a.npz').write_bytes(content)
    with Npz(tmp_path / 'a.npz', 'snapshot') as archive, pytest.raises(UserError, match='a.npz: not a snapshot, or'):
        archive.array('a')


@pytest.mark.parametrize('array', [1.0, ['text'], 'more than five', b'bytes', numpy.zeros(0, 'U3')])
def test_a_text_is_one_of_bounded_length(tmp_path, array):
    numpy.savez(tmp_path / 'a.npz', a=array, text='short')
    with Npz(tmp_path / 'a.npz', 'model file') as archive:
        assert archive.text('text', 5) == 'short' and archive.names == ['a', 'text']
        with pytest.raises(UserError, match='a.npz: not a model file, or damaged: a'):
            archive.text('a', 5)
