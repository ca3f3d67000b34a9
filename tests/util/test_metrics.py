import numpy
import pytest
from scipy.ndimage import gaussian_filter

from util.metrics import psnr, scores


def pair(dtype=numpy.float32):
    rng = numpy.random.default_rng(0)
    hr = (gaussian_filter(rng.normal(size=(20, 24, 22)), 2) * 1000 + 100).astype(dtype)
    return hr, (hr + rng.normal(0, 3, hr.shape)).astype(numpy.float32)


def test_psnr_and_rmse_follow_their_formulas():
    hr, sr = pair()
    error = numpy.mean((hr.astype(float) - sr) ** 2)
    assert psnr(hr, sr) == pytest.approx(10 * numpy.log10((float(hr.max()) - float(hr.min())) ** 2 / error), abs=1e-4)
    assert scores(hr, sr)['rmse'] == pytest.approx(numpy.sqrt(error), rel=1e-5)


def test_ssim_follows_wang_et_al():
    """Equation 13 of Wang et al. 2004 with Gaussian moments (sigma 1.5, cut at 3.5 sigma), over the full windows."""
    hr, sr = pair()
    x, y = hr.astype(float), sr.astype(float)

    def mean(image):
        return gaussian_filter(image, 1.5, truncate=3.5)

    ux, uy = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - ux**2, mean(y * y) - uy**2, mean(x * y) - ux * uy
    c1, c2 = ((k * (x.max() - x.min())) ** 2 for k in (0.01, 0.03))
    ssim = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux**2 + uy**2 + c1) * (vx + vy + c2))
    assert scores(hr, sr)['ssim'] == pytest.approx(ssim[5:-5, 5:-5, 5:-5].mean(), abs=1e-3)


def test_an_integer_truth_is_scored_like_the_same_numbers_in_float32():
    """Wrap-around of int16 differences, or of the range 32767 - (-32768), must not enter the scores."""
    hr, sr = pair(numpy.int16)
    hr[0, 0, 0], hr[-1, -1, -1] = -32768, 32767
    assert scores(hr, sr) == pytest.approx(scores(hr.astype(numpy.float32), sr))


def test_a_perfect_reconstruction_scores_one_and_zero():
    hr, _ = pair()
    with numpy.errstate(divide='ignore'):
        result = scores(hr, hr)
    assert result['ssim'] == pytest.approx(1) and result['rmse'] == 0 and result['psnr'] == numpy.inf
