"""Whether the LR volume of a pair may have been made of its HR volume."""
import itertools
import math

import numpy

LEAST_CORRELATION = 0.5  # of LR voxels with HR voxels at their places; of other heads it is 0.7, which is not told
BETTER_MIRRORED = 0.02   # in correlation; up to x4 a head that is mirrored left-right loses 0.04 and more
MOST_FACTOR = 2          # of intensities, or 1 / 2
MOST_SIDE = 64           # voxels that are looked at along an axis: whatever the size, it takes no time and no memory


def disagreement(lr, hr, sampling):
    """What speaks against a pair: its scores, and what is learned from it, would mean nothing.

    Of several channels the one that varies most counts most.

    Args:
        lr (numpy.ndarray): (C, z, y, x).
        hr (numpy.ndarray): (C, r_z*z, r_y*y, r_x*x).
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.

    Returns:
        str: LR is mirrored, is in other units, or has little to do with HR. None: nothing speaks against it, or one of
        them is constant.
    """
    places = [numpy.arange(n)[n % step // 2::step] for n in lr.shape[1:] for step in [-(-n // MOST_SIDE)]]
    at = _centred(_voxels(hr, [math.floor(offset) + r * place for offset, r, place in
                               zip(sampling.offset, sampling.rate, places)]))
    found, spread = {}, _rms(at)
    for reversed_axes in itertools.product((False, True), repeat=3):
        part = _centred(_voxels(lr, [n - 1 - place if is_reversed else place for n, place, is_reversed in
                                     zip(lr.shape[1:], places, reversed_axes)]))
        factor = _rms(part) / spread if spread else 0
        if not 0 < factor < math.inf:
            return None
        found[reversed_axes] = (part * at).mean() / spread ** 2 / factor, factor
    (as_it_is, factor), best = found[False, False, False], max(found, key=found.get)
    if found[best][0] > max(LEAST_CORRELATION, as_it_is + BETTER_MIRRORED + 3 / math.sqrt(at.size)):
        axes = [name for name, is_reversed in zip('zyx', best) if is_reversed]
        return (f'it fits its HR volume better with the order of its voxels reversed along {" and ".join(axes)} (a '
                f'correlation of {found[best][0]:.2f}, as it is {as_it_is:.2f}); were both turned by the same program?')
    if as_it_is < LEAST_CORRELATION:
        return (f'it has little to do with its HR volume (a correlation of {as_it_is:.2f}); are they of one head, and '
                'in the same place?')
    # LR varies less than HR's voxels, as it is a mean of them and their noise: the correlation says by how much.
    if factor * as_it_is > MOST_FACTOR or factor / as_it_is < 1 / MOST_FACTOR:
        return (f'its intensities are about {factor:.2g} times those of its HR volume; scores and losses compare them '
                'as they are, so both must be in the same units')
    return None


def _voxels(array, places):
    return array[numpy.ix_(range(len(array)), *places)]


def _centred(array):
    return array - array.mean(axis=(1, 2, 3), dtype=float, keepdims=True)


def _rms(array):
    return math.sqrt(numpy.square(array).mean())
