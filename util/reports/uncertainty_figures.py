"""The picture that tells whether a predicted deviation is any good, as a PNG file; made without pyplot."""
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from util.reports.figures import save_figure
from util.scores.uncertainty import TAKEN_OUT
from util.scores.uncertainty_sums import LEVELS


def save_uncertainty_figure(path, title, channels):
    """Save a figure of three panels: calibration, reliability and sparsification.

    Calibration: the share of voxels that lie within a central interval, against the share that ought to. Reliability:
    RMSE against predicted deviation of equally large groups of voxels, on logarithmic axes, if none is 0. On a diagonal
    is what a right deviation gives. Sparsification: the RMSE, relative to that of all voxels, of those that are left
    when the least certain ones are taken out; dashed, when those of the largest errors are; and for voxels taken out at
    random.

    Args:
        path (Path): PNG file to write.
        title (str): Heading.
        channels (list of ~util.scores.uncertainty.Curves): Of each channel of the volume.
    """
    figure = Figure(figsize=(14.5, 4.4))
    calibration, reliability, sparsification = figure.subplots(
        1, 3, gridspec_kw=dict(left=0.05, right=0.84, bottom=0.12, top=0.86, wspace=0.22))
    grey = dict(color='grey', linewidth=1)
    calibration.plot([0, 1], [0, 1], label='right', **grey)
    both = [values for curves in channels for values in (curves.predicted, curves.rmse)]
    ends = [min(map(min, both)), max(map(max, both))]
    reliability.plot(ends, ends, label='right', **grey)
    scale = 'log' if ends[0] > 0 else 'linear'  # a logarithm would leave a group of no error out
    sparsification.axhline(1, label='at random', **grey)
    for number, curves in enumerate(channels):
        colour, name = f'C{number}', f'channel {number + 1}' if len(channels) > 1 else 'network'
        calibration.plot(LEVELS, curves.coverage, 'o-', color=colour, markersize=4, label=name)
        reliability.plot(curves.predicted, curves.rmse, 'o-', color=colour, markersize=4, label=name)
        sparsification.plot(TAKEN_OUT, curves.left, color=colour, label=name)
        sparsification.plot(TAKEN_OUT, curves.ideal, '--', color=colour, label=f'{name}, ideal order')
    calibration.set(title='calibration', xlabel='expected share of voxels', ylabel='observed share', xlim=(0, 1),
                    ylim=(0, 1), aspect='equal')
    reliability.set(title='reliability', xlabel='predicted deviation [intensity units]',
                    ylabel='RMSE [intensity units]', xscale=scale, yscale=scale, aspect='equal')
    sparsification.set(title='sparsification', xlabel='share of the least certain voxels taken out',
                       ylabel='RMSE left, relative', xlim=(0, 1), ylim=(0, None))
    if scale == 'log':
        for axis in (reliability.xaxis, reliability.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter('{x:g}')
            axis.set_minor_formatter(NullFormatter())
    for axes in (calibration, reliability, sparsification):
        axes.grid(alpha=0.3)
    for axes in (calibration, reliability):
        axes.legend(loc='upper left')
    sparsification.legend(loc='upper left', bbox_to_anchor=(1.02, 1))  # inside it would lie on a curve
    figure.suptitle(title, parse_math=False)  # as in figures.py
    save_figure(figure, path, 80)
