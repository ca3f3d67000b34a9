"""Diffusion series: the images, and the b-values and directions that stand beside them in NAME.bval and NAME.bvec."""
from pathlib import Path
from typing import NamedTuple

import numpy

from util.dataset.case_names import without_suffix
from util.dataset.raw_files import find_files
from util.files import read_text
from util.script import UserError, note
from util.volumes.orientation import Lie, lay, layout_as
from util.volumes.reading import read_volume
from util.volumes.volume import Volume

MOST_BYTES = 2 ** 20
B0 = 50  # s/mm^2: an image of a b-value up to here has no diffusion weighting
SAME = 100  # s/mm^2: b-values that lie closer to the next than this are one shell
LEAST = 500  # s/mm^2: below, blood flow is measured beside diffusion
AXES = 'LPS'  # where x, y, z lead, of every series that is read


class Series(NamedTuple):
    """The images of a diffusion series that a tensor is fitted to."""
    images: Volume          # (N, z, y, x), float32, laid with the axes to the left, the back and the top
    bvals: numpy.ndarray    # (N,), s/mm^2
    vectors: numpy.ndarray  # (N, 3): unit vectors along the volume's axes x, y, z; 0 where b is at most B0


def find_series(root):
    """The diffusion series of a tree: NIfTI files with a .bval or a .bvec beside them, or named ``*_dwi``.

    Args:
        root (Path): Folder of the tree; what `util.dataset.raw_files.find_files` passes over is passed over.

    Returns:
        list of Path: Sorted by their paths from the root.
    """
    return [path for path in find_files(root, '*.nii*').files if path.name.endswith(('.nii', '.nii.gz'))
            and (_stem(path).endswith('_dwi') or any(_beside(path, end).is_file() for end in ('.bval', '.bvec')))]


def read_series(path):
    """Read a diffusion series, with one shell of it where there are several, and lay its axes.

    The vectors are taken as FSL and BIDS define them: along the axes of the image, with x reversed where the image's
    axes are right-handed (a positive determinant of the affine). The b = 0 images are kept and one shell: the one of
    the lowest b-value from 500 s/mm^2 on that has directions enough. At larger b diffusion is no longer Gaussian, and
    no tensor.

    Args:
        path (Path): NIfTI file; .bval and .bvec of the same name lie beside it.

    Returns:
        Series: Of the shell.

    Raises:
        UserError: In one line that names the file, if one is missing, the numbers of images, b-values and vectors
            differ, a vector is not of length 1, there is no b = 0 image, or no shell has six independent directions.
    """
    bvals, vectors = read_gradients(path)
    images = read_volume(path, numpy.float32)
    if len(images.array) != len(bvals):
        raise UserError(f'{path}: {len(images.array)} images, and {len(bvals)} b-values in {_beside(path, ".bval")}')
    if numpy.linalg.det(numpy.reshape(images.direction, (3, 3))) > 0:
        vectors = vectors * [-1, 1, 1]
    kept = _shell(path, bvals, vectors)
    layout = layout_as(images, Lie(AXES, (1, 1, 1)))
    vectors = vectors[:, layout.axes] * numpy.where(layout.reversed, -1, 1)
    if not kept.all():
        images = Volume(images.array[kept], images.spacing, images.origin, images.direction)
    return Series(lay(images, layout), bvals[kept], vectors[kept])


def read_gradients(path):
    """The b-values and the vectors of a series, from its files.

    Args:
        path (Path): The series; .bval and .bvec of the same name lie beside it.

    Returns:
        (numpy.ndarray, numpy.ndarray): b-values, (N,), s/mm^2; and vectors, (N, 3), in the axes that the file has them
        in, made of length 1, and 0 where b is at most :data:`B0`. Both float64.

    Raises:
        UserError: If a file is missing or no table of numbers, the numbers of b-values and vectors differ, a b-value is
            negative, or a vector is not of length 1.
    """
    (bvals,), vectors = _numbers(path, '.bval', 1), _numbers(path, '.bvec', 3)
    if vectors.shape[1] != len(bvals):
        raise UserError(f'{path}: {len(bvals)} b-values in {_beside(path, ".bval")}, and {vectors.shape[1]} vectors in '
                        f'{_beside(path, ".bvec")}')
    if bvals.min() < 0:
        raise UserError(f'{_beside(path, ".bval")}: a b-value of {bvals.min():g}; 0 or more is wanted, in s/mm^2')
    weighted = bvals > B0
    vectors = numpy.where(weighted, vectors, 0).T
    lengths = numpy.linalg.norm(vectors, axis=1)
    wrong = numpy.flatnonzero(weighted & (numpy.abs(lengths - 1) > 0.02))
    if len(wrong):
        raise UserError(f'{_beside(path, ".bvec")}: vector {wrong[0] + 1} of {len(bvals)} has length '
                        f'{lengths[wrong[0]]:.3g}; unit vectors are wanted, one for each image')
    return bvals, numpy.divide(vectors, lengths[:, None], out=numpy.zeros_like(vectors), where=weighted[:, None])


def _numbers(path, end, rows):
    file = _beside(path, end)
    try:
        lines = [line.split() for line in read_text(file, MOST_BYTES).splitlines() if line.strip()]
        table = numpy.array(lines, dtype=float)
    except OSError as error:
        raise UserError(f'{path}: its {file.name} cannot be read: {error.strerror}; a diffusion series has a .bval and '
                        'a .bvec file beside it') from None
    except ValueError:  # no numbers, or lines of different lengths
        table = numpy.empty(0)
    if table.ndim != 2 or len(table) != rows or not numpy.isfinite(table).all():
        raise UserError(f'{file}: {rows} line{"s" * (rows > 1)} of as many numbers as there are images '
                        f'{"are" if rows > 1 else "is"} wanted')
    return table


def _shell(path, bvals, vectors):
    """Which images are fitted, bool, (N,)."""
    unweighted = bvals <= B0
    if not unweighted.any():
        raise UserError(f'{path}: no image without diffusion weighting (b up to {B0}); a tensor needs one')
    values = numpy.unique(bvals[~unweighted])
    shells = [(~unweighted) & (bvals >= part[0]) & (bvals <= part[-1])
              for part in numpy.split(values, numpy.flatnonzero(numpy.diff(values) > SAME) + 1) if len(part)]
    fit = [shell for shell in shells if bvals[shell].min() >= LEAST and _independent(vectors[shell]) == 6]
    if not fit:
        said = ', '.join(f'{_independent(vectors[shell])} of b = {bvals[shell].mean():.0f}' for shell in shells)
        raise UserError(f'{path}: a tensor needs six independent directions of one b-value from {LEAST} on; there are '
                        f'{said or "none"}')
    if len(shells) > 1:
        note(f'{path}: of the b-values {", ".join(f"{bvals[shell].mean():.0f}" for shell in shells)} the '
             f'{numpy.count_nonzero(fit[0])} images of {bvals[fit[0]].mean():.0f} are fitted')
    return unweighted | fit[0]


def _independent(vectors):
    """How many of a tensor's six elements directions determine."""
    products = vectors[:, [0, 0, 1, 0, 1, 2]] * vectors[:, [0, 1, 1, 2, 2, 2]]
    return int(numpy.linalg.matrix_rank(products, tol=0.05))


def _stem(path):
    return without_suffix(path.name)


def _beside(path, end):
    return Path(path).with_name(_stem(path) + end)
