"""A result and the maps beside it, NAME_deviation and so on: which files of such names are this project's."""
import re

from util.files import NAME
from util.script import UserError
from util.volumes.streams import first_bytes

MAPS = 'deviation', 'intrinsic', 'parameter'  # of `util.inference.super_resolution.SuperResolved`
KINDS = *MAPS, 'interval'
_SILENT = '.mhd', '.mgh', '.mgz'
_HEADER = 2048     # bytes, more than those of any header that is written here
_OF_MGH, _TYPE_OF_MGH = 284, slice(20, 24)
_OF_VOXELS = re.compile(rb'^Element(Type|DataFile) = .*\n', re.MULTILINE)  # lines of a .mhd


def check_replaced(out, case):
    """Refuse to replace or remove a file that only has the name of a result or of a map.

    NIfTI and NRRD say who wrote them. MetaImage and MGH have no place for that: there any file of the result's name is
    taken for one, and a map is what has the header of the result beside it, but for its voxels' type and file.

    Args:
        out (Path): Folder of the results.
        case (~util.dataset.case_lists.Case): The case that is to be written.

    Raises:
        UserError: Naming the file.
    """
    result = out / case.file()
    if result.exists() and result.suffix not in _SILENT and not is_signed(result):
        raise UserError(f'{result}: there already, and not known to be a result of this program; it would be replaced. '
                        'Move it away, or name another -o')
    for path in (out / case.file(kind) for kind in KINDS):
        if path.exists() and not _is_map(path, result):
            raise UserError(f'{path}: there already, and not known to be a map that this program wrote beside '
                            f'{result.name}; it would be replaced or taken for one. Move it away, or name another -o')


def _is_map(path, result):
    try:
        if path.suffix in _SILENT:
            return result.exists() and _but_for_voxels(path) == _but_for_voxels(result)
    except UserError:  # it cannot be read
        return False
    return is_signed(path)


def is_signed(path):
    """Whether a file says in its first bytes, unpacked, that this program wrote it: NIfTI, NRRD, or a picture."""
    try:
        return NAME.encode() in first_bytes(path, _HEADER)
    except UserError:
        return False


def _but_for_voxels(path):
    header = bytearray(first_bytes(path, _HEADER))
    if path.suffix == '.mhd':
        return _OF_VOXELS.sub(b'', header)
    del header[_OF_MGH:], header[_TYPE_OF_MGH]
    return header
