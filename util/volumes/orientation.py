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
        volume (~util.volumes.volume.Volume): Any volume; of oblique axes the nearest direction is taken.

    Returns:
        str: Three letters of L/R, P/A, I/S, as nibabel's ``aff2axcodes``.
    """
    from nibabel.orientations import aff2axcodes  # here, since nibabel takes a while

    affine = numpy.eye(4)
    affine[:3, :3] = numpy.diag([-1, -1, 1]) @ numpy.reshape(volume.direction, (3, 3))  # LPS to RAS
    return ''.join(aff2axcodes(affine))


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


def layout_as(volume, lie):
    """How to lay a volume's axes as those of a training.

    Axes go to their like in the body, unless the spacings fit another way clearly better: then thick slices go where
    the training's were. An axis is reversed if it then runs against the training's.

    Args:
        volume (~util.volumes.volume.Volume): The scan.
        lie (Lie): How the training's volumes lie.

    Returns:
        Layout: What :func:`lay` takes.
    """
    own, lines = axis_codes(volume), ('LR', 'AP', 'IS')

    def line(code):
        return next(index for index, letters in enumerate(lines) if code in letters)

    def misfit(axes):
        return max(abs(numpy.log(volume.spacing[axis] / s)) for axis, s in zip(axes, lie.spacing))

    anatomical = tuple([line(code) for code in own].index(line(code)) for code in lie.axes)
    best = min(itertools.permutations(range(3)), key=misfit)
    axes = best if misfit(best) + numpy.log(CLEARLY) < misfit(anatomical) else anatomical
    return Layout(axes, tuple(line(own[axis]) == line(code) and own[axis] != code
                              for axis, code in zip(axes, lie.axes)))


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
    spacing = [volume.spacing[axis] for axis in layout.axes]
    said = []
    if lie and layout != AS_IT_IS:
        said.append(f'its axes {axis_codes(volume)} are laid as those of the training, {lie.axes}, and the result back')
    elif lie and axis_codes(volume) != lie.axes:
        why = 'its HR grid is given' if grid_is_given else 'its spacings fit so'
        said.append(f'its axes are {axis_codes(volume)}, those of the training {lie.axes}; they stay, since {why}')
    if lie and max(abs(numpy.log(numpy.divide(spacing, lie.spacing)))) > numpy.log(CLEARLY):
        said.append(f'its spacing is {_mm(spacing)} mm (x, y, z) where the training had {_mm(lie.spacing)} mm; the '
                    f'result has {_mm(numpy.divide(spacing, rate[::-1]))} mm')
    elif not lie and len(set(rate)) > 1 and rate[::-1][int(numpy.argmax(spacing))] < max(rate):
        said.append(f'its spacing is {_mm(spacing)} mm (x, y, z), and the rate {tuple(rate[::-1])} makes '
                    f'{_mm(numpy.divide(spacing, rate[::-1]))} mm of it: is another axis the thick one?')
    return said


def _mm(spacing):
    return ' x '.join(f'{s:.3g}' for s in spacing)
