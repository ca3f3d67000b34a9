"""NumPy archives, read without pickle."""
import numpy

from util.script import UserError


def read_npz(path, what):
    """All arrays of an .npz file by name; ``what`` is what the file ought to be, for the errors.

    Raises:
        UserError: If the file is missing, damaged, no .npz, or holds what only pickle can read.
    """
    try:
        # allow_pickle=False: a pickle in a file from elsewhere would run its author's code here.
        with open(path, 'rb') as file, numpy.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise UserError(f'{path}: cannot read this {what}: {error.strerror or error}') from None
    except Exception as error:  # damage shows in zipfile's, zlib's or numpy's own way
        raise UserError(f'{path}: not a {what}, or damaged: {error}') from None
