"""Diffusion tensors as volumes of six channels, and the numbers that are read off them.

The channels are the lower triangle of the symmetric 3 x 3 tensor, row by row, the order of NIfTI's symmetric matrices
and of dipy. The components are along the volume's own axes x, y, z, in 1e-3 mm^2/s (that is um^2/ms). Where all six are
0 is no brain.
"""
import numpy

ELEMENTS = 'Dxx', 'Dxy', 'Dyy', 'Dxz', 'Dyz', 'Dzz'
UNIT = 1e-3  # mm^2/s: white and grey matter are near 0.8, water at body temperature is 3
DIAGONAL = [0, 2, 5]
_OFF_DIAGONAL = [1, 3, 4]


def mirrored_signs(flips):
    """What the elements of a mirrored volume are multiplied by: a component turns round with each axis that it is of.

    Args:
        flips (sequence of bool): Whether z, y and x are mirrored.

    Returns:
        numpy.ndarray: (6, 1, 1, 1), float32, of 1 and -1.
    """
    mirrored = {axis for axis, flip in zip('zyx', flips) if flip}
    signs = [(-1) ** sum(axis in mirrored for axis in element[1:]) for element in ELEMENTS]
    return numpy.array(signs, numpy.float32)[:, None, None, None]


def brain_of(tensors):
    """The voxels that have a tensor, bool, (z, y, x), of a volume (6, z, y, x)."""
    return (tensors != 0).any(axis=0)


def mean_diffusivity(tensors):
    """A third of the trace, (...), of tensors (6, ...), in their unit."""
    return tensors[DIAGONAL].mean(axis=0)


def fractional_anisotropy(tensors):
    """How unlike the three diffusivities of a tensor are: 0, all the same, to 1, along one line alone.

    Source: P. J. Basser and C. Pierpaoli, "Microstructural and physiological features of tissues elucidated by
    quantitative-diffusion-tensor MRI", J Magn Reson B 111:209, 1996: sqrt(3/2) |D - MD| / |D|, with the norms of
    matrices, so that no eigenvalue need be known.

    Args:
        tensors (numpy.ndarray): (6, ...), in any unit.

    Returns:
        numpy.ndarray: (...), float64; 0 where the tensor is 0. At most sqrt(3/2), which only a tensor with a negative
        eigenvalue passes 1 for.
    """
    tensors = numpy.asarray(tensors, numpy.float64)
    around = 2 * numpy.sum(tensors[_OFF_DIAGONAL] ** 2, axis=0)
    square = numpy.sum(tensors[DIAGONAL] ** 2, axis=0) + around
    unlike = numpy.sum((tensors[DIAGONAL] - mean_diffusivity(tensors)) ** 2, axis=0) + around
    return numpy.sqrt(1.5 * numpy.divide(unlike, square, out=numpy.zeros_like(square), where=square > 0))


def as_matrices(tensors):
    """Tensors (6, n) as symmetric matrices (n, 3, 3)."""
    return tensors[[[0, 1, 3], [1, 2, 4], [3, 4, 5]]].transpose(2, 0, 1)


def from_matrices(matrices):
    """Symmetric matrices (n, 3, 3) as tensors (6, n)."""
    return matrices[:, [0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]].T
