"""Pictures of reconstructed cases and of comparisons, as PNG files.

Figures are made without pyplot, so that the backend and the open figures of a notebook stay what they are. Names of
cases and recipes are shown as they are: what stands between dollar signs is no formula of matplotlib's.
"""
import numpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, TransformedBbox

from util.files import NAME, replacing


def middle_planes(volume, channel=0):
    """The middle (axial, coronal, sagittal) planes of one channel of a volume, (C, z, y, x)."""
    z, y, x = (side // 2 for side in volume.shape[1:])
    return volume[channel, z], volume[channel, :, y], volume[channel, :, :, x]


def save_case_figure(path, title, lr, linear, sr, hr, spacing, sampling, deviations=()):
    """Save a figure of a case: LR, linear interpolation, network, truth, and the two errors, in their middle planes.

    In each channel, the four volumes share one grey scale and the two errors one colour scale, so that what looks
    different is different. Grey goes from 0, or from the 0.5th percentile of the truth's three planes where that is
    negative, to their 99.5th percentile. Colours end at the 99.5th percentile of what the planes show of the absolute
    error of linear interpolation. Predicted deviations are further columns of that scale: as red as an error of their
    size. Where a part of the deviation is far smaller, it is shown a whole number of times as large, which its heading
    says. The channels stand below each other, with their numbers.

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
        deviations (sequence of (str, numpy.ndarray)): Heading, and standard deviation that the network predicts, of
            the truth's shape and units.
    """
    sx, sy, sz = spacing
    aspects = sy / sx, sz / sx, sz / sy  # height over width of a voxel in each plane
    heights = [aspect * plane.shape[0] / plane.shape[1] for aspect, plane in zip(aspects, middle_planes(hr))]
    # All pictures lie in one axes whose units are inches: making and laying out as many axes takes ten times as long.
    side, gap, titles = 2.4, 0.08, 0.35  # the width of a picture, between two, and above each channel
    block = sum(side * ratio + gap for ratio in heights) + titles
    width, height = (6 + len(deviations)) * (side + gap) + 1.1, len(hr) * block + 0.4
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes([0, 0, 1, 1])
    axes.set_axis_off()
    for channel in range(len(hr)):
        planes = {name: middle_planes(volume, channel)
                  for name, volume in (('LR', lr), ('linear', linear), ('network', sr), ('truth', hr))}
        own = {name: middle_planes(volume, channel) for name, volume in deviations}
        top = height - 0.4 - channel * block - titles
        if len(hr) > 1:
            axes.text(gap, top + 0.05, f'channel {channel + 1} of {len(hr)}')
        shown = _draw_channel(axes, planes, own, heights, sampling, top, side, gap)
        bar = figure.add_axes([1 - 1 / width, (top - 0.75 * block) / height, 0.15 / width, 0.5 * block / height])
        figure.colorbar(shown, cax=bar, label=f'error{" or deviation" * bool(own)}, intensity units')
    axes.set(xlim=(0, width), ylim=(0, height), aspect='auto')
    # at 2 % the title of a picture of six channels would lie among the first titles
    figure.suptitle(title, y=1 - 0.1 / height, parse_math=False)
    save_figure(figure, path, 80)


def _draw_channel(axes, planes, deviations, heights, sampling, top, side, gap):
    """Three rows of pictures of one channel's planes below ``top``; returns the last one, for the colour bar."""
    # Where LR voxel 0 begins, in HR voxels: a place shall be at the same place in every column.
    z0, y0, x0 = (o - (r - 1) / 2 for o, r in zip(sampling.offset, sampling.rate))
    lr_corners = (y0, x0), (z0, x0), (z0, y0)
    # Signed: an error with the shape of an edge shows a shift, one with the shape of tissue a bias.
    errors = {f'{name} - truth': [numpy.subtract(plane, truth) for plane, truth in zip(planes[name], planes['truth'])]
              for name in ('linear', 'network')}
    black, white = numpy.percentile(_all(planes['truth']), (0.5, 99.5))
    grey = dict(cmap='gray', vmin=min(0.0, black), vmax=max(0.0, white))
    limit = numpy.percentile(numpy.abs(_all(errors['linear - truth'])), 99.5)
    deviations = dict(_magnified(name, three, limit) for name, three in deviations.items())
    for column, (name, three) in enumerate({**planes, **errors, **deviations}.items()):
        left, bottom = gap + column * (side + gap), top
        axes.text(left + side / 2, top + 0.05, name, ha='center', fontsize='large')
        colours = dict(cmap='RdBu_r', vmin=-limit, vmax=limit) if name not in planes else grey
        for plane, truth, ratio, corner in zip(three, planes['truth'], heights, lr_corners):
            bottom -= side * ratio
            up, right = (side * ratio / truth.shape[0], side / truth.shape[1])  # inches of an HR voxel
            y, x = corner if name == 'LR' else (0, 0)
            start = left + x * right, bottom + y * up
            shown = axes.imshow(plane, **colours, origin='lower', interpolation='nearest', aspect='auto',
                                extent=(start[0], start[0] + side, start[1], start[1] + side * ratio))
            shown.set_clip_box(TransformedBbox(Bbox.from_bounds(left, bottom, side, side * ratio), axes.transData))
            bottom -= gap
    return shown


def _magnified(name, planes, limit):
    """A map's heading and planes, a whole number of times as large where they would look empty."""
    brightest = numpy.percentile(_all(planes), 99.5)
    times = int(limit / brightest) if brightest > 0 and limit / brightest >= 3 else 1
    return (name, planes) if times == 1 else (f'{name} x {times}', [times * plane for plane in planes])


def _all(planes):
    return numpy.concatenate([plane.ravel() for plane in planes])


def save_figure(figure, path, dpi):
    """Write a figure as a PNG file, whole or not at all, at so many dots per inch."""
    # Level 1 takes a third of the time of zlib's usual 6, for a tenth more bytes: scans are noise to it.
    with replacing(path) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, dpi=dpi, metadata={'Software': NAME},
                                             pil_kwargs={'compress_level': 1})


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
    axes[0, 0].set_yticks(range(len(bars)), list(bars), parse_math=False)
    axes[0, 0].invert_yaxis()
    save_figure(figure, path, 100)


def save_spectrum_figure(path, title, spectra, rate):
    """Save a figure of the error's power by frequency along z, y and x; a checkerboard would be peaks on the lines.

    Args:
        path (Path): PNG file to write.
        title (str): Heading.
        spectra (dict): Name of the method -> for z, y, x what :func:`util.scores.phase_error.error_spectra` gives.
        rate ((int, int, int)): (r_z, r_y, r_x); dotted lines mark the multiples of 1/r.
    """
    figure = Figure(figsize=(15, 4))
    axes = figure.subplots(1, 3, sharey=True, gridspec_kw=dict(left=0.05, right=0.99, bottom=0.13, top=0.91,
                                                               wspace=0.05))
    for index, (axis, r) in enumerate(zip(axes, rate)):
        for multiple in range(1, r // 2 + 1):
            axis.axvline(multiple / r, color='grey', linestyle=':')
        for name, along in spectra.items():
            frequency, power = along[index]
            axis.semilogy(frequency[1:], power[1:], label=name, linewidth=1)
        axis.set_xlabel(f'frequency along {"zyx"[index]} [cycles per voxel]')
    axes[0].set_ylabel('power of the error')
    axes[0].legend()
    figure.suptitle(title, parse_math=False)
    save_figure(figure, path, 80)
