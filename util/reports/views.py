"""What the viewer of a report shows of a case: its volumes about the head, as text, and how to show them."""
import numpy

from util.reports.embedded import encode
from util.script import UserError
from util.volumes.head_mask import head_mask
from util.volumes.interpolation import Upsampled
from util.volumes.orientation import axis_codes
from util.volumes.reading import read_volume

MAPS = 'deviation', 'intrinsic', 'parameter'  # NAME_*.mhd, as util.inference.case_results writes them
GREYS = 64  # steps of LR, network and truth between black and white, or up to twice as many
SHADES = 24  # steps of a predicted deviation up to its 99.5th percentile


def views_of(case, out, sampling, coarser=1):
    """The views of a case, one per channel. Its volumes are read from disk, one at a time.

    Linear interpolation and errors are not among them, nor the deviation where its two parts are there: the page
    computes these from the others.

    Args:
        case (~util.dataset.case_lists.Case): A case with a truth, whose volume is in the folder.
        out (Path): Folder of the results.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        coarser (int): How many times as large the steps of the values are, for fewer bytes.

    Returns:
        list of dict: For `page/viewer.js`. Sizes and places are along z, y, x.

    Raises:
        UserError: If a volume cannot be read.
    """
    lr = read_volume(case.lr_path, numpy.float32).array
    mask, corner = _mask_about_head(lr)
    box = tuple(slice(r * start, r * (start + side)) for r, start, side in zip(sampling.rate, corner, mask.shape))
    inside = sampling.over_blocks(mask)
    truth = read_volume(case.hr_path, numpy.float32)
    views = []
    for channel, array in enumerate(truth.array[(slice(None), *box)]):
        black, white = numpy.percentile(array[inside], (0.5, 99.5))
        black, white = min(0.0, float(black)), max(0.0, float(white))
        step = coarser * _power_of_two((white - black) / GREYS)
        views.append({
            'name': case.name + (f', channel {channel + 1} of {len(lr)}' if len(lr) > 1 else ''),
            'size': inside.shape, 'corner': [place.start for place in box], 'whole': truth.size,
            'spacing': truth.spacing[::-1], 'axes': axis_codes(truth)[::-1], 'rate': sampling.rate,
            'offset': sampling.offset, 'lr_size': lr.shape[1:], 'window': [black, white],
            'limit': _limit(lr, array, sampling, channel, box, inside),
            'mask': encode(mask.astype(numpy.float32), numpy.ones_like(mask), 1),
            'LR': encode(lr[channel], numpy.ones(lr.shape[1:], bool), step),
            'truth': encode(array, inside, step), 'maps': {}})
    del truth, array
    for view, array in zip(views, read_volume(out / f'{case.name}.mhd', numpy.float32).array):
        view['network'] = encode(array[box], inside, view['truth']['step'])
    for name in MAPS:
        path = out / f'{case.name}_{name}.mhd'
        if path.exists() and not (name == 'deviation' and (out / f'{case.name}_parameter.mhd').exists()):
            for view, array in zip(views, read_volume(path, numpy.float32).array):
                brightest = float(numpy.percentile(array[box][inside], 99.5))
                text = encode(array[box], inside, coarser * brightest / SHADES or 1)
                view['maps'][name] = {**text, 'brightest': brightest}
    return views


def _mask_about_head(lr):
    """A mask of LR voxels: the head and a voxel about it; cut to its bounding box, and where that begins, (z, y, x).

    What the page keeps of air would be noise, and half of its bytes.
    """
    from scipy import ndimage  # here, as where the head is found

    try:
        mask = ndimage.binary_dilation(head_mask(lr), ndimage.generate_binary_structure(3, 3))
    except UserError:  # none that could be told from air
        mask = numpy.ones(lr.shape[1:], bool)
    box = ndimage.find_objects(mask.astype(numpy.int8))[0]
    return mask[box], [place.start for place in box]


def _limit(lr, truth, sampling, channel, box, inside):
    """Where the colours of errors end: the 99.5th percentile of linear interpolation's, from every fourth slice."""
    linear = Upsampled(lr, sampling, 'linear')[channel, slice(box[0].start, box[0].stop, 4), box[1], box[2]]
    error = numpy.abs(linear - truth[::4])[inside[::4]]
    return float(numpy.percentile(error, 99.5)) or 1.0


def _power_of_two(step):
    """The power of two at or below a step: scans of whole numbers then are kept as they are."""
    return float(2.0 ** numpy.floor(numpy.log2(step))) if step > 0 else 1.0
