"""Matching LR and HR patches, drawn from pairs of volumes."""
import itertools

import chainer
import numpy

from util.choices import look_up
from util.dataset.mapped import MappedVolume
from util.script import UserError
from util.volumes.head_mask import head_mask
from util.volumes.tensors import ELEMENTS, mirrored_signs

# name -> the axes that a flip concerns, (z, y, x)
FLIPPED = {'none': (False,) * 3, 'together': (True,) * 3, 'per_axis': (True,) * 3, 'x': (False, False, True),
           'cube': (True,) * 3, 'tensors': (True,) * 3}
OF_TENSORS = 'none', 'tensors'  # those that leave a diffusion tensor what it is


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
        pairs (list): (lr, hr) of each case: arrays (C, z, y, x), float32; hr may be a
            ~util.dataset.mapped.MappedVolume.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        patchside ((int, int, int)): Size of an HR patch, a multiple of the rate, (z, y, x).
        length (int): Number of examples.
        seed (int): Seed of the patches' volumes, places and flips.
        flip (str): A name of :data:`FLIPPED`. ``'none'``; ``'together'``: all three axes at once, half the time, as
            the reference experiment; ``'per_axis'``: each axis by itself, half the time; or ``'x'``: the array's last
            axis, half the time: heads are nearly symmetric left to right, which is that axis in most scans (axial or
            coronal); ``'cube'``: as ``'per_axis'``, and with the axes in any order: all 48 ways in which a cube can
            lie; or ``'tensors'``: as ``'per_axis'``, with the signs that the elements of a mirrored diffusion
            tensor have (`util.volumes.tensors`).
        flip_until (int or None): The first example that is never mirrored or turned, nor any after it; None: there is
            none.
        background_share (float or None): The share of the patches that is drawn from anywhere. Each of the others is
            centred on a voxel of the head (`util.volumes.head_mask`, from the LR alone), or as near to it as the
            volume's border allows. None, as the reference experiment: all from anywhere.
        drawing (~util.dataset.drawn.Drawing or None): What makes the patches of the HR volumes; None: both are cut out
            as they are.

    Raises:
        UserError: If a volume is too small for the patch, has no head where one is needed, or is none of tensors where
            these are to be mirrored, or if patches are to lie in any way and are no cubes.
        ValueError: If the flip is unknown.
    """

    def __init__(self, pairs, sampling, patchside, length, seed=0, flip='none', flip_until=None,
                 background_share=None, drawing=None):
        self.pairs = pairs
        self.sampling = sampling
        self.patchside = patchside
        self.length = length
        self.seed = seed
        self.flip = flip
        self.flipped = look_up(FLIPPED, flip, 'flip')
        self.flip_until = length if flip_until is None else flip_until
        self.background_share = background_share
        self.drawing = drawing
        self.signs = {flips: mirrored_signs(flips) for flips in itertools.product((False, True), repeat=3)
                      } if flip == 'tensors' else None
        if flip == 'cube' and any(len(set(each)) > 1 for each in (patchside, sampling.rate, sampling.offset)):
            raise UserError(f'flip: cube is for a patchside and an upsampling rate that are the same along all axes; '
                            f'these are {patchside} and {sampling.rate} (z, y, x)')
        for lr, hr in pairs:
            self._check(lr, hr)
        # Flat indices of the head's LR voxels, so that drawing one takes microseconds; they stay on the CPU.
        self.heads = [numpy.flatnonzero(head_mask(lr)) for lr, _ in pairs] if background_share is not None else None

    def _check(self, lr, hr):
        if self.signs and len(lr) != len(ELEMENTS):
            raise UserError(f'flip: tensors is for volumes of {len(ELEMENTS)} channels, {", ".join(ELEMENTS)}; these '
                            f'have {len(lr)}')
        rates, offsets = self.sampling.rate, self.sampling.offset
        if hr.shape != self.sampling.hr_shape(lr.shape):
            raise UserError(f'an HR volume of {hr.shape} (channels, z, y, x) is not {rates} times its LR volume of '
                            f'{lr.shape}; make the pairs again with this config: python util/miscs/make_lr_img.py')
        for axis, (name, side, hr_side, rate, offset) in enumerate(
                zip('zyx', lr.shape[1:], self.patchside, rates, offsets)):
            for flipped in (False, True) if self.flipped[axis] else (False,):
                starts, _ = patch_starts(side, hr_side, rate, offset, flipped)
                if not starts:
                    raise UserError(f'patchside: {hr_side} along {name} does not fit{" mirrored" * flipped} into a '
                                    f'volume of {rate * side} voxels; allowed: at most {rate * (side - flipped)}')

    def __len__(self):
        return self.length

    def to_device(self, device):
        """Move the volumes once, so that patches are cut where the network is."""
        self.pairs = [(device.send(lr), _sent(hr, device)) for lr, hr in self.pairs]
        self.signs = self.signs and {flips: device.send(signs) for flips, signs in self.signs.items()}
        if self.drawing:
            self.drawing.to_device(device)

    def get_example(self, i):
        """One pair of patches.

        Args:
            i (int): Which example, from 0.

        Returns:
            tuple: LR, (C, d, h, w), and HR, (C, r_z*d, r_y*h, r_x*w), float32, on the device. They are views of the
            volumes, unless drawn, mirrored as tensors, or read from the disk.

        Raises:
            IndexError: If there is no such example.
        """
        if not 0 <= i < self.length:
            raise IndexError(f'example {i} of {self.length}')
        rng = numpy.random.default_rng((self.seed, i))
        case = rng.integers(len(self.pairs))
        lr, hr = self.pairs[case]
        draws = rng.integers(2, size=1 if self.flip == 'together' else 3).astype(bool)
        flips = draws & self.flipped if i < self.flip_until else [False] * 3
        centre = self._head_voxel(case, rng)
        lr_window, hr_window = [], []
        for axis, flipped in enumerate(flips):
            rate, hr_side = self.sampling.rate[axis], self.patchside[axis]
            starts, shift = patch_starts(lr.shape[axis + 1], hr_side, rate, self.sampling.offset[axis], flipped)
            if centre is None:
                start = starts[rng.integers(len(starts))]
            else:
                start = min(max(centre[axis] - hr_side // rate // 2, starts[0]), starts[-1])
            lr_window.append(slice(start, start + hr_side // rate))
            hr_window.append(slice(rate * start + shift, rate * start + shift + hr_side))
        if self.drawing:
            lr, hr = self.drawing.draw(case, hr, lr_window, hr_window, rng)
        else:
            lr, hr = lr[(slice(None), *lr_window)], hr[(slice(None), *hr_window)]
        mirrored = (slice(None), *(slice(None, None, -1 if flipped else 1) for flipped in flips))
        lr, hr = lr[mirrored], hr[mirrored]
        if self.flip == 'cube' and i < self.flip_until:
            order = 0, *(1 + rng.permutation(3)).tolist()
            return lr.transpose(order), hr.transpose(order)
        if self.signs and any(flips):
            signs = self.signs[tuple(map(bool, flips))]
            return lr * signs, hr * signs
        return lr, hr

    def _head_voxel(self, case, rng):
        """LR voxel (z, y, x) to centre a patch on, or None for a patch from anywhere."""
        if self.background_share is None or rng.random() < self.background_share:
            return None
        head = self.heads[case]
        return [int(i) for i in numpy.unravel_index(head[rng.integers(len(head))], self.pairs[case][0].shape[1:])]


def _sent(hr, device):
    if isinstance(hr, MappedVolume):
        hr.to_device(device)
        return hr
    return device.send(hr)
