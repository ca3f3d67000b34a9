"""Pictures of a reconstructed case."""
import matplotlib
import numpy

from util.files import replacing

matplotlib.use('Agg')  # files only: no screen is needed
from matplotlib import pyplot  # noqa: E402


def middle_planes(volume):
    """The middle (axial, coronal, sagittal) planes of a (z, y, x) volume."""
    z, y, x = (side // 2 for side in volume.shape)
    return volume[z], volume[:, y], volume[:, :, x]


def save_case_figure(path, title, lr, linear, sr, hr, spacing):
    """Save a figure of a case: LR, linear interpolation, network, truth, and the two errors, in three planes.

    The four volumes share one grey scale (0 to the truth's 99.5th percentile) and the two errors one colour scale, so that
    what looks different is different.

    Args:
        path: PNG file to write.
        title (str): Heading.
        lr (numpy.ndarray): LR volume, (z, y, x).
        linear, sr, hr (numpy.ndarray): Linear interpolation, network's output and truth, (r_z*z, r_y*y, r_x*x).
        spacing ((float, float, float)): HR voxel spacing in mm, x, y, z.
    """
    sx, sy, sz = spacing
    white = numpy.percentile(hr, 99.5)
    # Signed: an error with the shape of an edge shows a shift, one with the shape of tissue a bias.
    errors = {'linear - truth': linear - hr, 'network - truth': sr - hr}
    limit = numpy.percentile(numpy.abs(errors['linear - truth']), 99.5)
    columns = {'LR': lr, 'linear': linear, 'network': sr, 'truth': hr, **errors}
    aspects = sy / sx, sz / sx, sz / sy  # height over width of a voxel in each plane
    heights = [aspect * plane.shape[0] / plane.shape[1] for aspect, plane in zip(aspects, middle_planes(hr))]
    figure, axes = pyplot.subplots(3, 6, figsize=(16, 2.4 * sum(heights) + 0.8), height_ratios=heights,
                                   layout='compressed')
    try:
        for column, (name, volume) in zip(axes.T, columns.items()):
            error = name in errors
            for axis, plane, truth, aspect in zip(column, middle_planes(volume), middle_planes(hr), aspects):
                height, width = truth.shape  # the LR plane fills the truth's: a place is at the same place everywhere
                shown = axis.imshow(plane, cmap='RdBu_r' if error else 'gray', vmin=-limit if error else 0,
                                    vmax=limit if error else white, origin='lower', aspect=aspect,
                                    extent=(0, width, 0, height), interpolation='nearest')
                axis.set_axis_off()
            column[0].set_title(name)
        figure.colorbar(shown, ax=axes, shrink=0.5, label='error, intensity units')
        figure.suptitle(title)
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=80)
    finally:
        pyplot.close(figure)
