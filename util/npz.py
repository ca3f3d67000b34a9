"""NumPy archives from elsewhere, read without pickle and without believing what they say of their size."""
import contextlib
import io
import math
import warnings
import zipfile
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy

from util.script import UserError

MOST_BYTES = 2 ** 34   # unpacked, of all arrays together
MOST_HEADER = 2 ** 14  # bytes; NumPy writes 128 before a plain array
_HEADERS = {(1, 0): numpy.lib.format.read_array_header_1_0, (2, 0): numpy.lib.format.read_array_header_2_0}


class Header(NamedTuple):
    """What an array is, known before it is read."""
    shape: tuple
    dtype: numpy.dtype


class Npz:
    """An open .npz file; each array is checked when it is asked for.

    Args:
        path (Path): The file.
        what (str): What the file ought to be, for the errors.

    Attributes:
        names (list of str): The names of all arrays, sorted.

    Raises:
        UserError: If the file is missing, damaged or no .npz, names an array twice or strangely, or unpacks to more
            than MOST_BYTES. So do the methods, for what is no array, or holds what only pickle can read.
    """

    def __init__(self, path, what):
        self.path, self.what, self._headers = path, what, {}
        with contextlib.ExitStack() as stack, self._damage():
            self._archive = stack.enter_context(zipfile.ZipFile(path))
            self._members = self._listed()
            stack.pop_all()  # it stays open
        self.names = sorted(self._members)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._archive.close()

    def _listed(self):
        members = self._archive.infolist()
        if sum(member.file_size for member in members) > MOST_BYTES:
            raise ValueError(f'it unpacks to more than {MOST_BYTES >> 30} GiB')
        for member in members:
            path = PurePosixPath(member.filename)
            if path.is_absolute() or '..' in path.parts:
                raise ValueError(f'an array is called {member.filename}')
            # NumPy writes these two; others unpack without a bound.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f'{member.filename} is packed in a way that NumPy does not write')
        listed = {member.filename.removesuffix('.npy'): member for member in members}
        if len(listed) < len(members):
            raise ValueError('two arrays of one name')
        return listed

    def header(self, name):
        """The shape and type of an array, which is as large as they say and needs no pickle.

        Args:
            name (str): One of ``names``.

        Returns:
            Header: Without the array being read.

        Raises:
            UserError: If it is no array of numbers or text, or has another size than its header says.
        """
        if name in self._headers:
            return self._headers[name]
        member = self._members[name]
        with self._damage(name):
            with self._archive.open(member) as packed:
                file = io.BytesIO(packed.read(MOST_HEADER))
            try:
                shape, _, dtype = _HEADERS[numpy.lib.format.read_magic(file)](file)
            except (KeyError, MemoryError, RecursionError):  # a version of named fields; ((((((
                raise ValueError('no header of a plain array') from None
            if dtype.kind not in 'biufcU':
                raise ValueError(f'an array of type {dtype}{", which only pickle can read" * dtype.hasobject}')
            size, held = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
            if min(shape, default=0) < 0 or not dtype.itemsize or size != held:
                raise ValueError(f'an array of shape {shape} and type {dtype} takes {size} bytes, not {held}')
            self._headers[name] = Header(shape, dtype)
        return self._headers[name]

    def array(self, name):
        """An array (numpy.ndarray), checked as :meth:`header` does; arguments and errors as there."""
        self.header(name)
        with self._damage(name), self._archive.open(self._members[name]) as file:
            return numpy.lib.format.read_array(file, allow_pickle=False)

    def like(self, name, wanted):
        """An array that can take the place of another one: of its shape, made its type, of finite numbers.

        Args:
            name (str): The array's name.
            wanted (numpy.ndarray): The other one. If it is not finite itself, such as a best value so far that starts
                at minus infinity, the array may be infinite too.

        Returns:
            numpy.ndarray: Of the shape and dtype of ``wanted``.

        Raises:
            ValueError: Saying what differs: the shape, or the kind of its type.
            UserError: Naming the file, if it is damaged or its numbers are not finite.
        """
        shape, dtype = self.header(name)
        if shape != wanted.shape:
            raise ValueError(f'{name} has shape {shape}; this network needs {wanted.shape}')
        if dtype.kind != wanted.dtype.kind or dtype.itemsize > 8:
            raise ValueError(f'{name} is of type {dtype}; this network needs {wanted.dtype}')
        with numpy.errstate(over='ignore'):
            array = self.array(name).astype(wanted.dtype)
        bad = numpy.isnan if not numpy.isfinite(wanted).all() else lambda array: ~numpy.isfinite(array)
        if bad(array).any():
            raise UserError(f'{self.path}: {name} has weights that are not finite; use a file of before they were')
        return array

    def text(self, name, most):
        """A text, kept as an array without dimensions.

        Args:
            name (str): One of ``names``.
            most (int): Characters that it may have.

        Returns:
            str: The text.

        Raises:
            UserError: If the array is no such text, or damaged.
        """
        shape, dtype = self.header(name)
        if dtype.kind != 'U' or shape or dtype.itemsize > 4 * most:
            raise UserError(f'{self.path}: not a {self.what}, or damaged: {name} is no text of at most {most} '
                            'characters')
        with self._damage(name):
            return str(self.array(name))

    @contextlib.contextmanager
    def _damage(self, name=None):
        try:
            with warnings.catch_warnings():  # NumPy warns of headers that Python 2 has written, and of damaged ones
                warnings.simplefilter('ignore')
                yield
        except (UserError, MemoryError):
            raise
        except OSError as error:
            raise UserError(f'{self.path}: cannot read this {self.what}: {error.strerror or error}') from None
        except Exception as error:  # damage shows in zipfile's, zlib's or numpy's own way
            where = '' if name is None else f'{name}: '
            raise UserError(f'{self.path}: not a {self.what}, or damaged: {where}{error}') from None
