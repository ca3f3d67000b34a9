"""The trained networks that come with the project, by name; models/pretrained/NAME.md says where each comes from."""
from pathlib import Path
from typing import NamedTuple

from util.files import sha256
from util.script import PROJECT, UserError, note

FOLDER = PROJECT / 'models/pretrained'


class Pretrained(NamedTuple):
    """A model file NAME.npz of :data:`FOLDER`."""
    sha256: str  # of the file
    what: str    # one line for a person


TABLE = {
    'x4_t1w': Pretrained(
        '29a68f1b210d6dc0eaff7d4ea50e23234e752fb032405d5b9ebe957cc7d57cc1',
        'T1w heads, x4 along each axis: the deeper network, trained on two scanners and on scans that differ'),
    'x4_t1w_uncertain': Pretrained(
        '1892709dd433fb8b683e1055dd02928cc56cccc38982000f712c049a63ca62e4',
        'the network of x4_t1w, with a standard deviation for each voxel'),
    'x2_t1w': Pretrained(
        'b19bfb4703a8420460ff7eb81d0f0c0fb06d1580bf15d7e9be07bf6fc79fbd93',
        'T1w heads, x2 along each axis: the same network and training'),
    'thick_t1w': Pretrained(
        '93e4767c0f20a561c19e01240c5131f573ae38133b121be7500dce2474f59735',
        'T1w heads, thick slices, x4 across them: the same network and training'),
    'thick_clinic': Pretrained(
        'ccae855089641f7ff3cba1036f4a9764fdda58754af805bc389f90a54041a565',
        'thick slices of a clinic, x4 across them: means over their thickness; T2w and FLAIR to look at'),
    'x4_t1w_paper': Pretrained(
        '9c13360df9e3d9e2effc2b5ebf88c8239030f8c05418970950540e51065da493',
        "T1w heads, x4 along each axis: the paper's network, trained on two scanners"),
    'x2_t1w_paper': Pretrained(
        'b9e94b1273e4a141ac152a4eba6ae3b4149bbf816c48aa926654edfcfc79f9d4',
        "T1w heads, x2 along each axis: the paper's network"),
    'thick_t1w_paper': Pretrained(
        'c54d70b1f6512083febb0e27c23944f328e9580f9f8bcd8cd57c829d418ad989',
        "T1w heads, thick slices, x4 across them: the paper's network"),
}


def is_published(path):
    """Whether a model file, or what a link leads to, is one of :data:`TABLE`, which stays as it was published."""
    path = path.resolve()
    return path.parent == FOLDER and path.stem in TABLE


def model_path(given):
    """The model file that a user means: a path, or a name of :data:`TABLE`.

    Args:
        given (Path): What was given. A file of that name goes before a name of the table, which is told.

    Returns:
        Path: The file; one that does not exist is left to whoever opens it.

    Raises:
        UserError: If a file of the table is missing, or is not what it was when it was published; or if what was given
            looks like a name, and is none and no file.
    """
    name = str(given)
    if name not in TABLE:
        if name == Path(name).stem and not Path(name).exists():
            raise UserError(f'{name}: no such model file, and none of the models that come with the project: '
                            + ', '.join(TABLE))
        return Path(given)
    if Path(given).is_file():
        note(f'-m {name}: the file of that name in this folder, and not the network that comes with the project')
        return Path(given)
    path = FOLDER / f'{name}.npz'
    try:
        found = sha256(path)
    except OSError as error:
        raise UserError(f'{path}: cannot read this model file: {error.strerror}; get it again with the project'
                        ) from None
    if found != TABLE[name].sha256:
        raise UserError(f'{path}: not the file that was published, by its SHA-256; get it again with the project, or '
                        'give it by its path if you have changed it')
    return path


def list_models():
    """What comes with the project, a line for each name."""
    width = max(map(len, TABLE), default=0)
    return '\n'.join(f'{name:{width}}  {model.what}' for name, model in TABLE.items())
