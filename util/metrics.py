"""Scores of a reconstructed volume against the true HR volume."""
import numpy
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def data_range(hr):
    """The range that PSNR and SSIM are relative to: max - min of the true HR volume, as the reference experiment."""
    return float(hr.max()) - float(hr.min())


def psnr(hr, sr):
    """Peak signal-to-noise ratio in dB: 10 log10(range² / mean squared error), range max - min of the true volume."""
    return float(peak_signal_noise_ratio(hr, sr, data_range=data_range(hr)))


def scores(hr, sr):
    """Score a volume.

    Args:
        hr (numpy.ndarray): True HR volume, (z, y, x).
        sr (numpy.ndarray): Reconstructed volume of the same shape and intensity units.

    Returns:
        dict: ``psnr`` in dB; ``ssim`` (Wang et al., "Image quality assessment", IEEE TIP 2004: Gaussian weights of sigma
        1.5, population covariance; both with the range max - min of ``hr``); ``rmse`` in the volume's units.
    """
    hr = hr.astype(numpy.float32)
    return {
        'psnr': psnr(hr, sr),
        'ssim': float(structural_similarity(hr, sr, data_range=data_range(hr), gaussian_weights=True, sigma=1.5,
                                            use_sample_covariance=False)),
        'rmse': float(numpy.sqrt(numpy.mean((hr - sr).astype(numpy.float64) ** 2))),
    }
