"""Patches of scans that differ: what the config's `drawn` names is drawn anew for each, and LR is made of HR."""
import bisect
import functools
import itertools
from typing import Any, NamedTuple

import numpy
from chainer.backends.cuda import get_array_module

from models.product import along_axis
from util.script import UserError
from util.volumes.appearance import bias_factors, inverted, slice_factors, with_gamma
from util.volumes.axis_matrices import blur_matrix, columns_of, degradation_matrix
from util.volumes.intensity import intensity_scale

STEPS = 16        # between the ends of a range of widths, so that their matrices are made once
MOST_KEPT = 512   # matrices
ROWS = 48         # of a matrix are multiplied at a time: most of them need a few columns only
VOXELS = 1 << 20  # of HR are made at a time on a CPU: what is touched again and again stays in its cache


class _Matrix(NamedTuple):
    """What an axis is multiplied by, and which columns each row needs."""
    weights: Any           # (m, n), where the volumes are
    first: numpy.ndarray   # (m,), on the CPU
    stop: numpy.ndarray    # (m,)

    def reach(self, rows):
        """The columns that a slice of rows needs."""
        return slice(int(self.first[rows].min()), int(self.stop[rows].max()))


class _Look(NamedTuple):
    """What a head has to look like in a scan; None: as it does."""
    blurring: Any        # a _Matrix for each axis, or None
    is_inverted: bool
    gamma: float | None
    bias: Any            # factors along each axis, where the volumes are


class Drawing:
    """Makes pairs of patches from HR volumes.

    In this order: HR is blurred, given another contrast and a bias field; that is the HR patch. LR is made of it. LR
    alone has slices of uneven brightness, and noise: Rician, as a magnitude image has it and `noise_sigma` of a fixed
    pair.

    Of HR no more is touched than the LR patch is made of. So without noise it is, inside of the volume and at its
    border, what the degradation makes of the whole volume.

    Args:
        pairs (list): (lr, hr) of each case: arrays (C, z, y, x), float32; of hr nothing is read here.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels, whatever is drawn.
        drawn (~util.config_drawn.Drawn): What is drawn.
        degradation (~util.config.Degradation): How LR is made where no degradation is drawn.

    Raises:
        UserError: If a contrast or noise is to be drawn for an LR volume whose 99th percentile is not above 0.
    """

    def __init__(self, pairs, sampling, drawn, degradation):
        self.sampling, self.drawn = sampling, drawn
        self.degradations = drawn.degradation or (degradation,)
        self._weights = [*itertools.accumulate(one.weight for one in drawn.degradation or ())] or [1.0]
        # What a contrast leaves where it is, and noise is a share of.
        self.levels = [_level(lr) for lr, _ in pairs] if drawn.gamma or drawn.inverted or drawn.noise else None
        self.to_device(None)

    def to_device(self, device):
        """Draw for volumes on a device of Chainer's; None: on the CPU."""
        self._xp, self._send = (device.xp, device.send) if device else (numpy, lambda arrays: arrays)
        self._sent_levels = self.levels and [self._send(level) for level in self.levels]
        self._matrix = functools.lru_cache(MOST_KEPT)(self._make_matrix)

    def _make_matrix(self, make, *arguments, **settings):
        matrix = make(*arguments, **settings)
        return _Matrix(self._send(matrix), *columns_of(matrix))

    def draw(self, case, hr, lr_window, hr_window, rng):
        """A pair of patches.

        Args:
            case (int): Which of the pairs.
            hr (numpy.ndarray, cupy.ndarray or ~util.dataset.mapped.MappedVolume): Its HR volume, (C, z, y, x).
            lr_window (list of slice): Of the LR volume's voxels, z, y, x; start and stop are given.
            hr_window (list of slice): Of the HR volume's.
            rng (numpy.random.Generator): The example's.

        Returns:
            tuple: LR patch and HR patch, (C, z, y, x), float32, on the device.
        """
        degrading = self._degrading(hr.shape[1:], rng)
        needed = [_hull(matrix.reach(rows), window) for matrix, rows, window in zip(degrading, lr_window, hr_window)]
        look = self._look(hr.shape[1:], rng)
        lr_lines, images = [], []
        for planes in _slabs(needed) if self._xp is numpy else needed[:1]:
            image = self._image(case, hr, [planes, *needed[1:]], look)
            # a copy, since a view would keep the whole slab
            images.append(image[(slice(None), *map(_within, hr_window, [planes, *needed[1:]]))].copy())
            for axis in 2, 1:
                image = _along(axis, image, degrading[axis], lr_window[axis], needed[axis].start)
            lr_lines.append(image)
        lr = _along(0, _joined(lr_lines, 1), degrading[0], lr_window[0], needed[0].start)
        if self.drawn.slices:
            lr = self._of_uneven_slices(lr, hr.shape[1:], lr_window, rng)
        if self.drawn.noise:
            lr = self._with_noise(lr, self.levels[case], rng)
        return lr, _joined(images, 1)

    def _degrading(self, shape, rng):
        """The matrices of a degradation, one an axis."""
        which = bisect.bisect(self._weights[:-1], rng.random() * self._weights[-1])
        degradation = self.degradations[which]
        draws = 3 if self._is_uneven(rng) else 1
        settings = [{key: _step(value, rng) for key, value in degradation.settings.items()} for _ in range(draws)]
        of_axes = zip(shape, self.sampling.rate, self.sampling.offset, settings * (3 // draws))
        return [self._matrix(degradation_matrix, n, r, offset, degradation.name, **settings)
                for n, r, offset, settings in of_axes]

    def _widths(self, rng):
        """Of the blur, one an axis.

        Where they differ, one axis, two or three are blurred, each as often. A scan is often interpolated in plane
        alone, or across its slices alone, and three widths that are drawn freely hardly ever leave an axis sharp.
        """
        if not self._is_uneven(rng):
            return [_step(self.drawn.blur, rng)] * 3
        blurred = rng.permutation(3)[:rng.integers(1, 4)]
        return [_step(self.drawn.blur, rng) if axis in blurred else 0 for axis in range(3)]

    def _is_uneven(self, rng):
        """Whether an axis differs from another."""
        return bool(self.drawn.uneven) and rng.random() < self.drawn.uneven

    def _look(self, shape, rng):
        drawn = self.drawn
        is_blurred = drawn.blur and (drawn.blurred is None or rng.random() < drawn.blurred)
        widths = self._widths(rng) if is_blurred else ()
        return _Look(
            [self._matrix(blur_matrix, n, width) if width else None for n, width in zip(shape, widths)],
            bool(drawn.inverted) and rng.random() < drawn.inverted,
            rng.uniform(*drawn.gamma) if drawn.gamma else None,
            self._send(bias_factors(shape, rng.uniform(*drawn.bias), rng)) if drawn.bias else None)

    def _image(self, case, hr, window, look):
        """What the scanner is to see of a head, in a window of the HR volume."""
        needed = [matrix.reach(rows) if matrix else rows
                  for matrix, rows in itertools.zip_longest(look.blurring, window)]
        image = hr[(slice(None), *needed)]
        for axis, matrix in enumerate(look.blurring):
            if matrix:
                image = _along(axis, image, matrix, window[axis], needed[axis].start)
        if look.is_inverted:
            image = inverted(image, self._sent_levels[case])
        if look.gamma:
            image = with_gamma(image, look.gamma, self._sent_levels[case])
        if look.bias:
            along_z, along_y, along_x = (factors[rows] for factors, rows in zip(look.bias, window))
            image = image * along_z[:, None, None] * (along_y[:, None] * along_x)
        return image

    def _of_uneven_slices(self, lr, hr_shape, window, rng):
        axis, = (axis for axis, rate in enumerate(self.sampling.rate) if rate > 1)
        slices = hr_shape[axis] // self.sampling.rate[axis]
        factors = slice_factors(slices, rng.uniform(*self.drawn.slices), rng)[window[axis]]
        return lr * self._send(factors.reshape([-1 if a == axis else 1 for a in range(3)]))

    def _with_noise(self, lr, level, rng):
        sigma = rng.uniform(*self.drawn.noise) * level
        real, imaginary = self._send(sigma * rng.standard_normal((2, *lr.shape), numpy.float32))
        return numpy.sqrt((lr + real) ** 2 + imaginary ** 2)


def _level(lr):
    try:
        return intensity_scale(lr, 'percentile')
    except UserError:
        raise UserError('drawn: the 99th percentile of an LR volume is not above 0, and gamma, inverted and noise go '
                        'by it; use volumes with more signal, or leave these out') from None


def _step(value, rng):
    """A number as it is; of a range, one of its steps."""
    if not isinstance(value, tuple):
        return value
    low, high = value
    return low + (high - low) * int(rng.integers(STEPS + 1)) / STEPS


def _hull(one, other):
    return slice(min(one.start, other.start), max(one.stop, other.stop))


def _within(window, needed):
    """A window of the volume, as one of a part of it; empty where they do not meet."""
    return slice(*(min(max(end - needed.start, 0), needed.stop - needed.start) for end in (window.start, window.stop)))


def _slabs(window):
    """A window's planes, some at a time."""
    planes, rows, columns = window
    depth = max(VOXELS // ((rows.stop - rows.start) * (columns.stop - columns.start)), 1)
    return [slice(start, min(start + depth, planes.stop)) for start in range(planes.start, planes.stop, depth)]


def _along(axis, image, matrix, rows, first):
    """The image has the matrix's columns along the axis from the first on."""
    parts = [slice(start, min(start + ROWS, rows.stop)) for start in range(rows.start, rows.stop, ROWS)]
    reaches = [matrix.reach(part) for part in parts]
    lines = (slice(None),) * (1 + axis)
    products = [along_axis(image[(*lines, slice(reach.start - first, reach.stop - first))],
                           matrix.weights[part, reach], axis) for part, reach in zip(parts, reaches)]
    return _joined(products, 1 + axis)


def _joined(arrays, axis):
    return arrays[0] if len(arrays) == 1 else get_array_module(*arrays).concatenate(arrays, axis)
