"""Scores and a picture of a super-resolved volume; arrays are (z, y, x), float32."""
import csv

import matplotlib
import numpy
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
import torch

from network import linear

matplotlib.use('Agg')
from matplotlib import pyplot


def interpolations(lr, rate):
    """LR on the HR grid, where LR voxel i lies at HR index rate * i: nearest, linear and cubic B-spline."""
    nearest = [numpy.minimum((numpy.arange(rate * n) + rate // 2) // rate, n - 1) for n in lr.shape]
    between = ndimage.affine_transform(lr, [1 / rate] * 3, output_shape=[rate * (n - 1) + 1 for n in lr.shape],
                                       order=3, mode='mirror')
    spline = numpy.pad(between, [(0, rate - 1)] * 3, mode='edge')
    return {'nearest': lr[numpy.ix_(*nearest)], 'linear': linear(torch.from_numpy(lr)[None, None], rate)[0, 0].numpy(),
            'bspline': spline}


def scores(hr, images):
    """PSNR (dB) and SSIM (Wang et al. 2004) of each image: name -> {metric: value}."""
    wanted = float(hr.max() - hr.min())
    return {name: {'psnr': peak_signal_noise_ratio(hr, image, data_range=wanted),
                   'ssim': structural_similarity(hr, image, data_range=wanted, gaussian_weights=True, sigma=1.5,
                                                 use_sample_covariance=False)}
            for name, image in images.items()}


def save_figure(path, lr, hr, images):
    """LR, linear interpolation, network, truth and the two errors, in the three middle planes."""
    linear, network = images['linear'], images['network']
    columns = {'LR': lr, 'linear': linear, 'network': network, 'truth': hr, 'linear - truth': linear - hr,
               'network - truth': network - hr}
    white, error = numpy.percentile(hr, 99.5), numpy.percentile(abs(linear - hr), 99.5)
    figure, axes = pyplot.subplots(3, 6, figsize=(16, 8), layout='compressed')
    for column, (name, volume) in zip(axes.T, columns.items()):
        z, y, x = (side // 2 for side in volume.shape)
        for axis, plane in zip(column, (volume[z], volume[:, y], volume[:, :, x])):
            colours = dict(cmap='RdBu_r', vmin=-error, vmax=error) if ' - ' in name else dict(cmap='gray', vmin=0,
                                                                                             vmax=white)
            shown = axis.imshow(plane, **colours, origin='lower')
            axis.set_axis_off()
        column[0].set_title(name)
    figure.colorbar(shown, ax=axes, shrink=0.5)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def save_table(path, rows):
    """One row per case: case -> {method: {metric: value}}, as columns metric_method."""
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        for number, (case, methods) in enumerate(rows.items()):
            values = {f'{metric}_{method}': value for method, by in methods.items() for metric, value in by.items()}
            if not number:
                writer.writerow(['case', *values])
            writer.writerow([case, *values.values()])
