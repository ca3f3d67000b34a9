"""Scores of reconstructed volumes against the true HR volume."""
import os
from concurrent.futures import ThreadPoolExecutor

import numpy
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from util.script import UserError
from util.volumes.head_mask import head_mask

SSIM_WINDOW = 11  # voxels: Gaussian weights of sigma 1.5, cut at 3.5 sigma
ROBUST_PERCENTILE = 99.5  # the maximum is set by a few bright vessels, and PSNR of two scans cannot be compared by it


REGIONS = {'': 'whole volume', '_head': 'within the head'}  # suffix of a metric -> what a person reads
METRICS = tuple(f'{metric}{region}' for region in REGIONS for metric in ('psnr', 'ssim', 'rmse', 'psnr_robust'))


def data_range(hr):
    """The range that PSNR and SSIM are relative to: max - min of the true HR channel, as the reference experiment."""
    return float(hr.max()) - float(hr.min())


def robust_range(hr):
    """The range of ``psnr_robust``: the 99.5th percentile of the true HR channel less its minimum."""
    return float(numpy.percentile(hr, ROBUST_PERCENTILE)) - float(hr.min())


def psnr(hr, sr):
    """Peak signal-to-noise ratio: 10 log10(range² / mean squared error), range max - min of the true channel.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        sr (numpy.ndarray): Reconstructed volume of the same shape and intensity units.

    Returns:
        float: dB; the mean over the channels.
    """
    return float(numpy.mean([peak_signal_noise_ratio(truth, image, data_range=data_range(truth))
                             for truth, image in zip(hr, sr)]))


def scores(hr, sr, head):
    """Score a volume, as a whole and within the head.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        sr (numpy.ndarray): Reconstructed volume of the same shape and intensity units.
        head (numpy.ndarray): The head in the true HR volume, bool, (z, y, x): :func:`util.head_mask.head_mask`.

    Returns:
        dict: A value for each of :data:`METRICS`. ``psnr`` in dB; ``ssim`` (Wang et al., "Image quality assessment",
        IEEE TIP 2004: Gaussian weights of sigma 1.5, population covariance); ``rmse`` in the volume's units;
        ``psnr_robust`` as ``psnr``, with :func:`robust_range`. Then ``psnr_head``, ``ssim_head`` (the mean of the SSIM
        map), ``rmse_head`` and ``psnr_robust_head``, of the head's voxels alone. All ranges are those of the whole
        channel; that of ``psnr`` and ``ssim`` is max - min. Each score is the mean over the channels.
    """
    channels = [_channel_scores(truth, image, head)
                for truth, image in zip(hr.astype(numpy.float32), sr.astype(numpy.float32))]
    return {name: float(numpy.mean([channel[name] for channel in channels])) for name in channels[0]}


def _channel_scores(hr, sr, head):
    """The scores of one channel, (z, y, x), float32."""
    ssim, ssim_map = structural_similarity(hr, sr, data_range=data_range(hr), gaussian_weights=True, sigma=1.5,
                                           use_sample_covariance=False, full=True)
    result = {}
    for region, truth, image, similarity in (('', hr, sr, ssim), ('_head', hr[head], sr[head], ssim_map[head].mean())):
        result |= {
            f'psnr{region}': float(peak_signal_noise_ratio(truth, image, data_range=data_range(hr))),
            f'ssim{region}': float(similarity),
            f'rmse{region}': float(numpy.sqrt(numpy.mean((truth - image).astype(numpy.float64) ** 2))),
            f'psnr_robust{region}': float(peak_signal_noise_ratio(truth, image, data_range=robust_range(hr))),
        }
    return result


def score_images(hr, images):
    """:func:`scores` of several reconstructions of one volume.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        images (dict): Name -> reconstructed volume, of the same shape.

    Returns:
        dict: Scores by name.

    Raises:
        UserError: If the volume is smaller than SSIM's window, or has no head.
    """
    if min(hr.shape[1:]) < SSIM_WINDOW:
        raise UserError(f'an HR volume of {hr.shape[1:]} voxels (z, y, x) cannot be scored: SSIM needs {SSIM_WINDOW} '
                        'or more along each axis')
    head = head_mask(hr)
    # SSIM is a dozen filters of the whole volume, and SciPy's leave other threads running.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(images, pool.map(lambda image: scores(hr, image, head), images.values())))
