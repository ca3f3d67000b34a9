"""How a volume's axes lie in the body, and how to lay them as those that a network was trained on.

Only axes are exchanged and reversed, so no voxel's value changes and every voxel stays where it is in space.
"""
import itertools
from typing import NamedTuple

import numpy

from util.volumes.volume import Volume

# An axis is taken for another one only if the spacings fit better by this factor: head scans of 1 x 1.3 x 1.3 mm and
# of 1 mm are laid by their anatomy, slices of 4 mm by their thickness.
CLEARLY = 1.5


class Lie(NamedTuple):
    """How the volumes of a training lie: what a scan is compared with."""
    axes: str       # axis codes of all of them
    spacing: tuple  # median of their spacings, mm, x, y, z


class Layout(NamedTuple):
    """How axes are laid anew: for x, y, z of the result, the axis it comes from (0, 1, 2), and whether reversed."""
    axes: tuple
    reversed: tuple


AS_IT_IS = Layout((0, 1, 2), (False,) * 3)


def axis_codes(volume):
    """Where the axes x, y, z of a volume lead in the body, such as ``'RAS'``: to the right, the front, the top.

    Args:
        volume (~util.volumes.volume.Volume): Any volume; of oblique axes the nearest direction is taken, of that axis
            first which is the least oblique.

    Returns:
        str: Three letters of L/R, P/A, I/S, as nibabel's ``aff2axcodes``, which is not asked since it takes a while.
    """
    axes = numpy.diag([-1, -1, 1]) @ numpy.reshape(volume.direction, (3, 3))  # LPS to RAS
    left, _, right = numpy.linalg.svd(axes / numpy.sqrt((axes * axes).sum(axis=0)))
    rotation, codes = left @ right, {}  # the nearest one: axes are at right angles but for rounding
    for axis in numpy.argsort(-(rotation ** 2).max(axis=0), kind='stable').tolist():
        body = numpy.argmax(abs(rotation[:, axis]))
        codes[axis] = ('LR', 'PA', 'IS')[body][int(rotation[body, axis] > 0)]
        rotation[body] = 0  # no other axis leads there
    return codes[0] + codes[1] + codes[2]


def common_lie(volumes):
    """How volumes lie, if all lie the same way.

    Args:
        volumes (list of ~util.volumes.volume.Volume): The LR volumes of a training.

    Returns:
        Lie or None: None if their axes differ, so that a network has seen heads in several layouts.
    """
    codes = {axis_codes(volume) for volume in volumes}
    if len(codes) != 1:
        return None
    spacing = numpy.median([volume.spacing for volume in volumes], axis=0)
    return Lie(codes.pop(), tuple(round(float(s), 6) for s in spacing))


def layout_as(volume, lie, rate=(1, 1, 1)):
    """How to lay a volume's axes as those of a training.

    Axes go to their like in the body, unless the spacings fit another way clearly better: then thick slices go where
    the training's were, and as few axes as can be are exchanged. An axis is reversed if it then runs against the
    training's. Where it is not known how those lay, axes stay, but for thick slices, which go where the rate is large.

    Args:
        volume (~util.volumes.volume.Volume): The scan.
        lie (Lie or None): How the training's volumes lie; None: unknown, or in several ways.
        rate ((int, int, int)): Upsampling rate, (z, y, x).

    Returns:
        Layout: What :func:`lay` takes.
    """
    own, lines = axis_codes(volume), ('LR', 'AP', 'IS')
    misfit = _misfits(volume.spacing, lie, rate)
    codes = lie.axes if lie else own

    def line(code):
        return next(index for index, letters in enumerate(lines) if code in letters)

    anatomical = tuple([line(code) for code in own].index(line(code)) for code in codes)
    best = min(misfit, key=lambda axes: (misfit[axes], sum(a != b for a, b in zip(axes, anatomical))))
    axes = best if misfit[best] + numpy.log(CLEARLY) < misfit[anatomical] else anatomical
    return Layout(axes, tuple(line(own[axis]) == line(code) and own[axis] != code
                              for axis, code in zip(axes, codes)))


def _misfits(spacing, lie, rate):
    """For each order of the axes, how far the spacings are from a multiple of the training's: the log of a factor.

    Those of a training that is not known are to each other as the rates: its HR voxels were cubes.
    """
    wanted = lie.spacing if lie else rate[::-1]
    return {axes: numpy.ptp([round(float(numpy.log(spacing[axis] / s)), 6) for axis, s in zip(axes, wanted)]) / 2
            for axes in itertools.permutations(range(3))}


def lay(volume, layout):
    """Exchange and reverse a volume's axes; each voxel keeps its value and its place in space.

    Args:
        volume (~util.volumes.volume.Volume): Any volume.
        layout (Layout): What goes where.

    Returns:
        ~util.volumes.volume.Volume: Its array is a view.
    """
    size = volume.size[::-1]
    direction = numpy.reshape(volume.direction, (3, 3))
    origin = numpy.array(volume.origin, dtype=float)
    for axis, back in zip(layout.axes, layout.reversed):
        if back:
            origin += direction[:, axis] * volume.spacing[axis] * (size[axis] - 1)
    signs = numpy.where(layout.reversed, -1.0, 1.0)
    # array axes are C, z, y, x: axis a of x, y, z is array axis 3 - a
    array = volume.array.transpose(0, *(3 - axis for axis in layout.axes[::-1]))
    array = array[(slice(None), *(slice(None, None, -1 if back else 1) for back in layout.reversed[::-1]))]
    return Volume(array, tuple(volume.spacing[axis] for axis in layout.axes), tuple(origin.tolist()),
                  tuple((direction[:, layout.axes] * signs).ravel().tolist()))


def inverse(layout):
    """The Layout that undoes another one."""
    axes = tuple(layout.axes.index(axis) for axis in range(3))
    return Layout(axes, tuple(layout.reversed[axis] for axis in axes))


def unlike_training(volume, layout, lie, rate, grid_is_given):
    """What a user should know of a scan that lies otherwise than the training's volumes.

    Args:
        volume (~util.volumes.volume.Volume): The scan, as it was read.
        layout (Layout): How it is laid for the network.
        lie (Lie or None): How the training's volumes lie; None: unknown.
        rate ((int, int, int)): Upsampling rate, (z, y, x).
        grid_is_given (bool): Whether the HR grid is known, so that no axis is laid anew.

    Returns:
        list of str: Sentences, none where there is nothing to say.
    """
    spacing, own = [volume.spacing[axis] for axis in layout.axes], axis_codes(volume)
    laid, misfits = axis_codes(lay(volume, layout)), _misfits(volume.spacing, lie, rate).values()
    said = []
    if lie and laid == lie.axes != own:
        said.append(f'its axes {own} are laid as those of the training, {lie.axes}, and the result back')
    elif layout != AS_IT_IS:
        said.append(f'its axes {own} of {_mm(volume.spacing)} mm are laid as {laid}, since its spacings fit so, and '
                    'the result back')
    elif lie and own != lie.axes:
        why = 'its HR grid is given' if grid_is_given else 'its spacings fit so'
        said.append(f'its axes are {own}, those of the training {lie.axes}; they stay, since {why}')
    no_thick_one = len(set(rate)) > 1 and max(misfits) - min(misfits) <= numpy.log(CLEARLY)
    if no_thick_one or lie and max(abs(numpy.log(numpy.divide(spacing, lie.spacing)))) > numpy.log(CLEARLY):
        told = f' where the training had {_mm(lie.spacing)} mm' if lie else ''
        why = ', and none of its axes is clearly the thick one' if no_thick_one else ''
        said.append(f'its spacing is {_mm(spacing)} mm (x, y, z){told}; the result has '
                    f'{_mm(numpy.divide(spacing, rate[::-1]))} mm{why}')
    return said


def _mm(spacing):
    return ' x '.join(f'{s:.3g}' for s in spacing)
