"""Matching LR and HR patches, drawn from pairs of volumes."""
import chainer
import numpy

from util.script import UserError


def patch_starts(lr_side, hr_side, rate, offset, flipped):
    """Where patches may start along one axis so that LR and HR show the same place.

    LR voxel i has its centre at HR index ``rate * i + offset``. An unflipped pair keeps this if HR starts at
    ``rate * start``. Mirroring both arrays would put LR centres at ``rate * i + (rate - 1 - offset)`` of the HR patch,
    and teach the network a second geometry wherever ``offset`` is not the middle of the block. So the HR window of a
    flipped pair moves by ``2 * offset - (rate - 1)``, after which the mirrored pair has its centres at
    ``rate * i + offset`` again.

    Args:
        lr_side (int): Voxels of the LR volume along the axis; the HR volume has ``rate`` times as many.
        hr_side (int): Voxels of the HR patch along the axis.
        rate (int): Upsampling rate along the axis.
        offset (float): HR index of the centre of LR voxel 0: a whole or half number from 0 to rate - 1.
        flipped (bool): Whether the pair is to be mirrored along the axis.

    Returns:
        (range, int): LR starts that keep both windows inside their volumes, and what to add to ``rate * start``.
    """
    shift = round(2 * offset) - (rate - 1) if flipped else 0
    first = max(0, -(shift // rate))
    last = min(lr_side - hr_side // rate, (rate * lr_side - hr_side - shift) // rate)
    return range(first, last + 1), shift


class PatchDataset(chainer.dataset.DatasetMixin):
    """Random pairs of patches from LR and HR volumes; example i depends on the seed and on i alone.

    So a resumed training sees what an uninterrupted one would have seen, whatever reads the examples and in what order.

    Args:
        pairs: List of (lr, hr) arrays, (z, y, x), float32; hr is ``rate`` times as large as lr on each axis.
        rate ((int, int, int)): Upsampling rate, (z, y, x).
        offset ((float, float, float)): HR index of the centre of LR voxel 0, (z, y, x).
        patchside ((int, int, int)): Size of an HR patch, a multiple of the rate, (z, y, x).
        length (int): Number of examples.
        seed (int): Seed of the patches' volumes, places and flips.
        flip (str): ``'none'``; ``'together'``: all three axes at once, half the time, as the reference experiment; or
            ``'per_axis'``: each axis by itself, half the time.

    Raises:
        UserError: If a volume is too small for the patch.
    """

    def __init__(self, pairs, rate, offset, patchside, length, seed=0, flip='none'):
        self.pairs = pairs
        self.rate = rate
        self.offset = offset
        self.patchside = patchside
        self.length = length
        self.seed = seed
        self.flip = flip
        for lr, hr in pairs:
            self._check(lr, hr)

    def _check(self, lr, hr):
        if hr.shape != tuple(r * side for r, side in zip(self.rate, lr.shape)):
            raise UserError(f'an HR volume of {hr.shape} voxels (z, y, x) is not {self.rate} times its LR volume of '
                            f'{lr.shape}; make the pairs again with this config: python util/miscs/make_lr_img.py')
        flips = (False,) if self.flip == 'none' else (False, True)
        for axis in range(3):
            for flipped in flips:
                starts, _ = patch_starts(lr.shape[axis], self.patchside[axis], self.rate[axis], self.offset[axis],
                                         flipped)
                if not starts:
                    raise UserError(
                        f'patchside: {self.patchside[axis]} along {"zyx"[axis]} does not fit{" mirrored" * flipped} '
                        f'into a volume of {hr.shape[axis]} voxels; allowed: at most '
                        f'{hr.shape[axis] - self.rate[axis] * flipped}')

    def __len__(self):
        return self.length

    def to_device(self, device):
        """Move the volumes once, so that patches are cut where the network is."""
        self.pairs = [(device.send(lr), device.send(hr)) for lr, hr in self.pairs]

    def get_example(self, i):
        """Pair ``i``: LR (1, d, h, w) and HR (1, r_z*d, r_y*h, r_x*w), views of the volumes."""
        if not 0 <= i < self.length:
            raise IndexError(f'example {i} of {self.length}')
        rng = numpy.random.default_rng((self.seed, i))
        lr, hr = self.pairs[rng.integers(len(self.pairs))]
        if self.flip == 'together':
            flips = [bool(rng.integers(2))] * 3
        elif self.flip == 'per_axis':
            flips = rng.integers(2, size=3).astype(bool)
        else:
            flips = [False] * 3
        lr_window, hr_window = [], []
        for axis, flipped in enumerate(flips):
            rate, hr_side = self.rate[axis], self.patchside[axis]
            starts, shift = patch_starts(lr.shape[axis], hr_side, rate, self.offset[axis], flipped)
            start = starts[rng.integers(len(starts))]
            lr_window.append(_window(start, hr_side // rate, flipped))
            hr_window.append(_window(rate * start + shift, hr_side, flipped))
        return lr[tuple(lr_window)][None], hr[tuple(hr_window)][None]


def _window(start, side, flipped):
    if not flipped:
        return slice(start, start + side)
    return slice(start + side - 1, start - 1 if start else None, -1)
