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


def save_case_figure(path, title, lr, linear, sr, hr, spacing, offset):
    """Save a figure of a case: LR, linear interpolation, network, truth, and the two errors, in three planes.

    The four volumes share one grey scale (0 to the truth's 99.5th percentile) and the two errors one colour scale, so
    that what looks different is different.

    Args:
        path: PNG file to write.
        title (str): Heading.
        lr (numpy.ndarray): LR volume, (z, y, x).
        linear, sr, hr (numpy.ndarray): Linear interpolation, network's output and truth, (r_z*z, r_y*y, r_x*x).
        spacing ((float, float, float)): HR voxel spacing in mm, x, y, z.
        offset ((float, float, float)): HR index of the centre of LR voxel 0, (z, y, x).
    """
    sx, sy, sz = spacing
    # Where LR voxel 0 begins, in HR voxels: a place shall be at the same place in every column.
    z0, y0, x0 = (o - (h // n - 1) / 2 for o, h, n in zip(offset, hr.shape, lr.shape))
    lr_corners = (x0, y0), (x0, z0), (y0, z0)
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
            corners = lr_corners if name == 'LR' else ((0, 0),) * 3
            for axis, plane, truth, aspect, (left, bottom) in zip(column, middle_planes(volume), middle_planes(hr),
                                                                  aspects, corners):
                height, width = truth.shape
                shown = axis.imshow(plane, cmap='RdBu_r' if error else 'gray', vmin=-limit if error else 0,
                                    vmax=limit if error else white, origin='lower', interpolation='nearest',
                                    extent=(left, left + width, bottom, bottom + height), aspect=aspect)
                axis.set(xlim=(0, width), ylim=(0, height))
                axis.set_axis_off()
            column[0].set_title(name)
        figure.colorbar(shown, ax=axes, shrink=0.5, label='error, intensity units')
        figure.suptitle(title)
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=80)
    finally:
        pyplot.close(figure)


def save_gain_figure(path, bars):
    """Save a figure of a comparison: the gain in PSNR over the best interpolation, a line a recipe, a dot a case.

    Args:
        path: PNG file to write.
        bars (dict): Name of the recipe -> {name of the region: gains in dB, an array with a value a case}.
    """
    regions = list(next(iter(bars.values())))
    figure, axes = pyplot.subplots(1, len(regions), figsize=(5.5 * len(regions) + 1, 1.2 + 0.4 * len(bars)),
                                   sharex=True, sharey=True, squeeze=False, layout='constrained')
    try:
        for axis, region in zip(axes[0], regions):
            for line, gain in enumerate(bars.values()):
                axis.barh(line, gain[region].mean(), color='C0', alpha=0.35)
                axis.plot(gain[region], [line] * len(gain[region]), 'o', color='C0', markersize=5)
            axis.axvline(0, color='black', linewidth=1)
            axis.grid(axis='x', alpha=0.3)
            axis.set_title(region)
            axis.set_xlabel('PSNR over the best interpolation [dB]')
        axes[0, 0].set_yticks(range(len(bars)), list(bars))
        axes[0, 0].invert_yaxis()
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=100)
    finally:
        pyplot.close(figure)


def save_spectrum_figure(path, title, spectra, rate):
    """Save a figure of the error's power by frequency along z, y and x; a checkerboard would be peaks on the lines.

    Args:
        path: PNG file to write.
        title (str): Heading.
        spectra (dict): Name of the method -> for z, y, x what :func:`util.phase_error.error_spectrum` gives.
        rate ((int, int, int)): (r_z, r_y, r_x); dotted lines mark the multiples of 1/r.
    """
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4), sharey=True, layout='constrained')
    try:
        for index, (axis, r) in enumerate(zip(axes, rate)):
            for multiple in range(1, r // 2 + 1):
                axis.axvline(multiple / r, color='grey', linestyle=':')
            for name, along in spectra.items():
                frequency, power = along[index]
                axis.semilogy(frequency[1:], power[1:], label=name, linewidth=1)
            axis.set_xlabel(f'frequency along {"zyx"[index]} [cycles a voxel]')
        axes[0].set_ylabel('power of the error')
        axes[0].legend()
        figure.suptitle(title)
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=80)
    finally:
        pyplot.close(figure)
