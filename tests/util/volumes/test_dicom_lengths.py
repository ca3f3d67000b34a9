"""DICOM files that say more than they hold are refused before memory is asked for; sound ones never are."""
import struct

import pytest
import SimpleITK as sitk

from tests.util.volumes.dicom_files import save_series
from tests.util.volumes.files import make_volume
from util.script import UserError
from util.volumes.dicom_lengths import check_lengths

META = b'\x02\0\x10\0UI'
IMPLICIT, EXPLICIT, BIG_ENDIAN = (b'1.2.840.10008.1.2' + end for end in (b'\0', b'.1\0', b'.2\0'))


def make_file(path, syntax, *elements):
    path.write_bytes(bytes(128) + b'DICM' + META + struct.pack('<H', len(syntax)) + syntax + b''.join(elements))
    return path


def explicit(tag, kind, content, length=None):
    length = len(content) if length is None else length
    return struct.pack('<HH', *tag) + kind + (struct.pack('<HI', 0, length) if kind in (b'OW', b'UN', b'SQ')
                                              else struct.pack('<H', length)) + content


ROWS, PRIVATE, PIXELS = (0x28, 0x10), (0x29, 0x1010), (0x7fe0, 0x10)


def test_sound_files_pass(tmp_path):
    save_series(tmp_path / 'a', make_volume())
    for path in (tmp_path / 'a').iterdir():
        check_lengths(path)
    for compressed in (False, True):
        sitk.WriteImage(sitk.Image(8, 9, sitk.sitkUInt8), str(tmp_path / 'b.dcm'), compressed)
        check_lengths(tmp_path / 'b.dcm')


@pytest.mark.parametrize('elements', [
    (explicit(ROWS, b'US', b'\x08\0'), explicit(PIXELS, b'OW', b'12')),
    (explicit(PRIVATE, b'SQ', b'whatever is in there', 0xffffffff),),
    (explicit(PRIVATE, b'??', b'x', 9999),)])  # as some vendors have it; GDCM knows
def test_what_cannot_be_followed_is_left_to_gdcm(tmp_path, elements):
    check_lengths(make_file(tmp_path / 'a.dcm', EXPLICIT, *elements))
    check_lengths(make_file(tmp_path / 'a.dcm', BIG_ENDIAN, explicit(PIXELS, b'OW', b'12', 10 ** 9)))


@pytest.mark.parametrize('syntax, element, words', [
    (EXPLICIT, explicit(PIXELS, b'OW', b'12', 10 ** 9), r'\(7fe0,0010\) is 1000000000 bytes long, and 2 are there'),
    (EXPLICIT, explicit(PRIVATE, b'UN', b'12', 3), r'\(0029,1010\) is 3 bytes long, and 2 are there'),
    (IMPLICIT, struct.pack('<HHI', *ROWS, 10 ** 9), r'\(0028,0010\) is 1000000000 bytes long, and 0 are there'),
    (EXPLICIT, explicit((2, 0x12), b'%I', b'1.2.3\0'), r'\(0002,0012\) is of no type of DICOM')])
def test_what_is_longer_than_the_file_is_refused(tmp_path, syntax, element, words):
    with pytest.raises(UserError, match=words):
        check_lengths(make_file(tmp_path / 'a.dcm', syntax, element))
