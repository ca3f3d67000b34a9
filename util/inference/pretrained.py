"""The trained networks that come with the project, by name; models/pretrained/NAME.md says where each comes from."""
import hashlib
from pathlib import Path
from typing import NamedTuple

from util.script import PROJECT, UserError

FOLDER = PROJECT / 'models/pretrained'


class Pretrained(NamedTuple):
    """A model file NAME.npz of :data:`FOLDER`."""
    sha256: str  # of the file
    what: str    # one line for a person


TABLE = {
    'x4_t1w': Pretrained('d189974b3d661b913f7fe57a66d16f2087c0609821007ad32829d513b5109b38',
                         'T1w heads, x4 along each axis: a deeper network, trained on two scanners'),
}


def model_path(given):
    """The model file that a user means: a path, or a name of :data:`TABLE`.

    Args:
        given (Path): What was given. A file of that name goes before a name of the table.

    Returns:
        Path: The file; one that does not exist is left to whoever opens it.

    Raises:
        UserError: If a file of the table is missing, or is not what it was when it was published.
    """
    name = str(given)
    if name not in TABLE or Path(given).exists():
        return Path(given)
    path = FOLDER / f'{name}.npz'
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f'{path}: cannot read this model file: {error.strerror}; get it again with the project'
                        ) from None
    if hashlib.sha256(content).hexdigest() != TABLE[name].sha256:
        raise UserError(f'{path}: not the file that was published, by its SHA-256; get it again with the project, or '
                        'give it by its path if you have changed it')
    return path


def list_models():
    """What comes with the project, a line for each name."""
    width = max(map(len, TABLE), default=0)
    return '\n'.join(f'{name:{width}}  {model.what}' for name, model in TABLE.items())
