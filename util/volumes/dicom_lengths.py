"""A DICOM file whose elements ask for more bytes than it has, found before GDCM asks the system for as many.

Source: DICOM PS3.5, 6.2, 7.1 (data elements), 10 (transfer syntaxes); PS3.10, 7.1 (group 2 is explicit, little-endian).
"""
import struct

from util.script import UserError

_IMPLICIT = b'1.2.840.10008.1.2'
_OTHERWISE = b'1.2.840.10008.1.2.2', b'1.2.840.10008.1.2.1.99'  # big-endian, deflated
# the types of values (6.2): those with a length of 32 bits, and those with one of 16
_LONG = b'OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split()
_SHORT = b'AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US'.split()
_SYNTAX, _PIXELS, _UNDEFINED = (0x0002, 0x0010), (0x7fe0, 0x0010), 0xffffffff


def check_lengths(path):
    """Go from element to element, up to the pixels, or to what has no length of its own or a type that is none.

    Args:
        path (Path): The file, little-endian; others are not looked at.

    Raises:
        UserError: If an element ends behind the file's end, or the first group, which says how to read the rest, has a
            type that is none.
    """
    size = path.stat().st_size
    with open(path, 'rb') as file:
        file.seek(132)
        syntax = b''
        while len(start := file.read(8)) == 8:
            tag = struct.unpack('<HH', start[:4])
            if tag[0] != 2 and syntax in _OTHERWISE:
                return
            if tag[0] != 2 and syntax == _IMPLICIT:
                length, = struct.unpack('<I', start[4:])
            elif start[4:6] in _LONG:
                length, = struct.unpack('<I', file.read(4).ljust(4, b'\0'))
            elif start[4:6] in _SHORT:
                length, = struct.unpack('<H', start[6:])
            elif tag[0] == 2:
                raise UserError(f'{path}: damaged: its element ({tag[0]:04x},{tag[1]:04x}) is of no type of DICOM')
            else:
                return
            if length == _UNDEFINED:
                return
            if file.tell() + length > size:
                raise UserError(f'{path}: truncated or damaged: its element ({tag[0]:04x},{tag[1]:04x}) is {length} '
                                f'bytes long, and {size - file.tell()} are there')
            if tag == _PIXELS:
                return
            if tag == _SYNTAX:
                syntax = file.read(length).rstrip(b'\0 ')
            else:
                file.seek(length, 1)
