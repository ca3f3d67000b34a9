"""Pictures of reconstructed cases and of comparisons, as PNG files.

Figures are made without pyplot, so that the backend and the open figures of a notebook stay what they are.
"""
import numpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from util.files import replacing


def middle_planes(volume, channel=0):
    """The middle (axial, coronal, sagittal) planes of one channel of a volume, (C, z, y, x)."""
    z, y, x = (side // 2 for side in volume.shape[1:])
    return volume[channel, z], volume[channel, :, y], volume[channel, :, :, x]


def save_case_figure(path, title, lr, linear, sr, hr, spacing, sampling):
    """Save a figure of a case: LR, linear interpolation, network, truth, and the two errors, in their middle planes.

    In each channel, the four volumes share one grey scale and the two errors one colour scale, so that what looks
    different is different. Grey goes from 0, or from the 0.5th percentile of the truth's three planes where that is
    negative, to their 99.5th percentile. The channels stand below each other.

    Args:
        path (Path): PNG file to write.
        title (str): Heading.
        lr (numpy.ndarray): LR volume, (C, z, y, x).
        linear (~util.volumes.interpolation.Upsampled or numpy.ndarray): Linear interpolation of it, (C, r_z*z, r_y*y,
            r_x*x).
        sr (numpy.ndarray): The network's output, of the same shape.
        hr (numpy.ndarray): The truth, of the same shape.
        spacing ((float, float, float)): HR voxel spacing in mm, x, y, z.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
    """
    sx, sy, sz = spacing
    aspects = sy / sx, sz / sx, sz / sy  # height over width of a voxel in each plane
    heights = [aspect * plane.shape[0] / plane.shape[1] for aspect, plane in zip(aspects, middle_planes(hr))]
    # Places are reckoned here: a layout engine takes longer to find them than all the rest of the figure.
    row, titles = 2.4, 0.35  # inches: of a picture as high as it is wide, and above each channel
    block = row * sum(heights) + titles
    width, height = 6 * row + 1.2, len(hr) * block + 0.5
    figure = Figure(figsize=(width, height))
    for channel in range(len(hr)):
        bottom = ((len(hr) - 1 - channel) * block + 0.1) / height
        top = bottom + (block - titles) / height
        axes = figure.add_gridspec(3, 6, height_ratios=heights, left=0.01, right=1 - 1.1 / width, bottom=bottom,
                                   top=top, wspace=0.03, hspace=0.03).subplots()
        planes = {name: middle_planes(volume, channel)
                  for name, volume in (('LR', lr), ('linear', linear), ('network', sr), ('truth', hr))}
        shown = _draw_channel(axes, planes, aspects, sampling)
        bar = figure.add_axes([1 - 1 / width, bottom + (top - bottom) / 4, 0.15 / width, (top - bottom) / 2])
        figure.colorbar(shown, cax=bar, label='error, intensity units')
    figure.suptitle(title)
    _save(figure, path, 80)


def _draw_channel(axes, planes, aspects, sampling):
    """Three rows of six pictures of one channel's planes; returns the last error picture, for the colour bar."""
    # Where LR voxel 0 begins, in HR voxels: a place shall be at the same place in every column.
    z0, y0, x0 = (o - (r - 1) / 2 for o, r in zip(sampling.offset, sampling.rate))
    lr_corners = (x0, y0), (x0, z0), (y0, z0)
    # Signed: an error with the shape of an edge shows a shift, one with the shape of tissue a bias.
    errors = {f'{name} - truth': [numpy.subtract(plane, truth) for plane, truth in zip(planes[name], planes['truth'])]
              for name in ('linear', 'network')}
    black, white = numpy.percentile(_all(planes['truth']), (0.5, 99.5))
    black, white = min(0.0, black), max(0.0, white)
    limit = numpy.percentile(numpy.abs(_all(errors['linear - truth'])), 99.5)
    for column, (name, three) in zip(axes.T, {**planes, **errors}.items()):
        error = name in errors
        corners = lr_corners if name == 'LR' else ((0, 0),) * 3
        colours = dict(cmap='RdBu_r', vmin=-limit, vmax=limit) if error else dict(cmap='gray', vmin=black, vmax=white)
        for axis, plane, truth, aspect, (left, bottom) in zip(column, three, planes['truth'], aspects, corners):
            height, width = truth.shape
            axis.set_axis_off()
            shown = axis.imshow(plane, **colours, origin='lower', interpolation='nearest', aspect=aspect,
                                extent=(left, left + width, bottom, bottom + height))
            axis.set(xlim=(0, width), ylim=(0, height))
        column[0].set_title(name)
    return shown


def _all(planes):
    return numpy.concatenate([plane.ravel() for plane in planes])


def _save(figure, path, dpi):
    # Level 1 takes a third of the time of zlib's usual 6, for a tenth more bytes: scans are noise to it.
    with replacing(path) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, dpi=dpi, pil_kwargs={'compress_level': 1})


def save_gain_figure(path, bars):
    """Save a figure of a comparison: the gain in PSNR over the best interpolation, a bar per recipe, a dot per case.

    Args:
        path (Path): PNG file to write.
        bars (dict): Name of the recipe -> {name of the region: gains in dB, an array with one value per case}.
    """
    regions = list(next(iter(bars.values())))
    figure = Figure(figsize=(5.5 * len(regions) + 1, 1.2 + 0.4 * len(bars)), layout='constrained')
    axes = figure.subplots(1, len(regions), sharex=True, sharey=True, squeeze=False)
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
    _save(figure, path, 100)


def save_spectrum_figure(path, title, spectra, rate):
    """Save a figure of the error's power by frequency along z, y and x; a checkerboard would be peaks on the lines.

    Args:
        path (Path): PNG file to write.
        title (str): Heading.
        spectra (dict): Name of the method -> for z, y, x what :func:`util.scores.phase_error.error_spectrum` gives.
        rate ((int, int, int)): (r_z, r_y, r_x); dotted lines mark the multiples of 1/r.
    """
    figure = Figure(figsize=(15, 4), layout='constrained')
    axes = figure.subplots(1, 3, sharey=True)
    for index, (axis, r) in enumerate(zip(axes, rate)):
        for multiple in range(1, r // 2 + 1):
            axis.axvline(multiple / r, color='grey', linestyle=':')
        for name, along in spectra.items():
            frequency, power = along[index]
            axis.semilogy(frequency[1:], power[1:], label=name, linewidth=1)
        axis.set_xlabel(f'frequency along {"zyx"[index]} [cycles per voxel]')
    axes[0].set_ylabel('power of the error')
    axes[0].legend()
    figure.suptitle(title)
    _save(figure, path, 80)
