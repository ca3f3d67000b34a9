"""Pictures of a training that is going on, as PNG files; made without pyplot."""
import numpy
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from util.reports.figures import middle_planes, save_figure
from util.volumes.interpolation import Upsampled

CURVES = {'loss': {'main/loss': 'training', 'val/loss': 'validation'},
          'PSNR on validation [dB]': {'val/psnr': 'network', 'val/psnr_linear': 'linear interpolation'}}


def save_curves_figure(path, log):
    """Save a figure of a log: the loss in training and on validation, and below it PSNR beside linear interpolation's.

    The loss is on a logarithmic axis, unless some of it is not above 0, as a likelihood's may be, or its largest value
    is less than four times the smallest, where such an axis would have few numbers.

    Args:
        path (Path): PNG file to write.
        log (list of dict): Lines of the log, name -> number, with the keys of :data:`CURVES` where there is a value.
    """
    figure = Figure(figsize=(9, 7))
    panels = figure.subplots(2, 1, sharex=True, gridspec_kw=dict(left=0.1, right=0.98, bottom=0.07, top=0.98,
                                                                 hspace=0.06))
    for axes, (heading, names) in zip(panels, CURVES.items()):
        for key, label in names.items():
            points = [(line['iteration'], line[key]) for line in log if key in line and 'iteration' in line]
            axes.plot(*zip(*points) if points else ((), ()), '.-', linewidth=1, markersize=3, label=label)
        axes.set_ylabel(heading)
        axes.grid(alpha=0.3)
        axes.legend()
    loss, psnr = panels
    values = [value for line in loss.get_lines() for value in line.get_ydata()]
    if values and 0 < 4 * min(values) <= max(values):
        loss.set_yscale('log')
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        loss.yaxis.set_major_formatter('{x:g}')  # powers of ten would take longer to set than all the rest
        loss.minorticks_off()
    psnr.set_xlabel('iteration')
    save_figure(figure, path, 80)


def save_sample_figure(path, title, lr, sr, hr, spacing, sampling):
    """Save a figure of what a network makes of a case: LR, linear interpolation, network, truth, of its first channel.

    Above one of the three middle planes, below a ninth of it, three times as large: those where linear interpolation is
    furthest from the truth, so that there is something to learn, and always the same ones. The grey scale is the
    truth's, from 0, or from its 0.5th percentile where that is negative, to its 99.5th. So the pictures of a case
    differ in the network alone.

    Args:
        path (Path): PNG file to write.
        title (str): Heading.
        lr (numpy.ndarray): LR volume, (C, z, y, x).
        sr (numpy.ndarray): The network's output, (C, r_z*z, r_y*y, r_x*x).
        hr (numpy.ndarray): The truth, of the same shape.
        spacing ((float, float, float)): HR voxel spacing in mm, x, y, z.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
    """
    volumes = {'LR': Upsampled(lr, sampling, 'nearest'), 'linear': Upsampled(lr, sampling, 'linear'), 'network': sr,
               'truth': hr}
    planes = {name: middle_planes(volume) for name, volume in volumes.items()}
    errors = [numpy.square(linear - truth) for linear, truth in zip(planes['linear'], planes['truth'])]
    worst = max(range(3), key=lambda index: errors[index].mean())
    sx, sy, sz = spacing
    aspect = (sy / sx, sz / sx, sz / sy)[worst]  # height over width of a voxel
    place = _worst_ninth(errors[worst])
    wholes = [three[worst] for three in planes.values()]
    black, white = numpy.percentile(wholes[-1], (0.5, 99.5))

    side, gap, above = 2.4, 0.06, 0.55  # inches: the width of a picture, between two, and for the headings
    height = side * aspect * wholes[-1].shape[0] / wholes[-1].shape[1]
    width, bottom = 4 * (side + gap) - gap, height + gap
    figure = Figure(figsize=(width, 2 * height + gap + above))
    axes = figure.add_axes([0, 0, 1, 1])
    axes.set_axis_off()
    for column, (name, whole) in enumerate(zip(volumes, wholes)):
        left = column * (side + gap)
        axes.text(left + side / 2, bottom + height + 0.06, name, ha='center')
        for picture, low in ((whole, bottom), (whole[place], 0)):
            axes.imshow(picture, cmap='gray', vmin=min(0.0, black), vmax=max(0.0, white), origin='lower',
                        interpolation='nearest', aspect='auto', extent=(left, left + side, low, low + height))
    rows, columns = ([part.start, part.stop] for part in place)
    (y0, y1), (x0, x1) = numpy.multiply(rows, height / whole.shape[0]), numpy.multiply(columns, side / whole.shape[1])
    axes.plot(left + numpy.array([x0, x1, x1, x0, x0]), bottom + numpy.array([y0, y0, y1, y1, y0]), linewidth=1)
    axes.set(xlim=(0, width), ylim=(0, 2 * height + gap + above), aspect='auto')
    axes.text(width / 2, 2 * height + gap + 0.32, title, ha='center', parse_math=False)  # as in figures.py
    save_figure(figure, path, 80)


def _worst_ninth(errors):
    """The place, two slices, of the ninth of a plane whose errors are largest in sum."""
    thirds = [[slice(n * third // 3, max((n + 1) * third // 3, n * third // 3 + 1)) for n in range(3)]
              for third in errors.shape]
    return max(((rows, columns) for rows in thirds[0] for columns in thirds[1]), key=lambda part: errors[part].sum())
