import numpy
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from util.scores.metrics import METRICS, REGIONS, channel_scores, mean_of_channels, psnr, robust_range
from util.script import UserError

ANYWHERE = numpy.ones((20, 24, 22), bool)


def scores(hr, sr, head):
    """Of one reconstruction."""
    return mean_of_channels(channel_scores(hr, {'network': sr}, head))['network']


def pair(dtype=numpy.float32, seed=0):
    rng = numpy.random.default_rng(seed)
    hr = (gaussian_filter(rng.normal(size=(1, 20, 24, 22)), (0, 2, 2, 2)) * 1000 + 100).astype(dtype)
    return hr, (hr + rng.normal(0, 3, hr.shape)).astype(numpy.float32)


def test_psnr_and_rmse_follow_their_formulas():
    hr, sr = pair()
    error = numpy.mean((hr.astype(float) - sr) ** 2)
    assert psnr(hr, sr) == pytest.approx(10 * numpy.log10((float(hr.max()) - float(hr.min())) ** 2 / error), abs=1e-4)
    assert psnr(hr, sr) == pytest.approx(peak_signal_noise_ratio(hr, sr, data_range=float(hr.max()) - float(hr.min())))
    assert scores(hr, sr, ANYWHERE)['rmse'] == pytest.approx(numpy.sqrt(error), rel=1e-5)


def test_ssim_follows_wang_et_al():
    """Equation 13 of Wang et al. 2004 with Gaussian moments (sigma 1.5, cut at 3.5 sigma), over the full windows."""
    hr, sr = pair()
    x, y = hr[0].astype(float), sr[0].astype(float)

    def mean(image):
        return gaussian_filter(image, 1.5, truncate=3.5)

    ux, uy = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - ux**2, mean(y * y) - uy**2, mean(x * y) - ux * uy
    c1, c2 = ((k * (x.max() - x.min())) ** 2 for k in (0.01, 0.03))
    ssim = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux**2 + uy**2 + c1) * (vx + vy + c2))
    assert scores(hr, sr, ANYWHERE)['ssim'] == pytest.approx(ssim[5:-5, 5:-5, 5:-5].mean(), abs=1e-3)


def test_an_integer_truth_is_scored_like_the_same_numbers_in_float32():
    """Wrap-around of int16 differences, or of the range 32767 - (-32768), must not enter the scores."""
    hr, sr = pair(numpy.int16)
    hr[0, 0, 0, 0], hr[0, -1, -1, -1] = -32768, 32767
    assert scores(hr, sr, ANYWHERE) == pytest.approx(scores(hr.astype(numpy.float32), sr, ANYWHERE))


def test_a_perfect_reconstruction_scores_one_and_zero():
    hr, _ = pair()
    with numpy.errstate(divide='ignore'):
        result = scores(hr, hr, ANYWHERE)
    assert result['ssim'] == pytest.approx(1) and result['rmse'] == 0 and result['psnr'] == numpy.inf


def test_scores_within_the_head_leave_the_air_out():
    """An error in the air only; then the head's figures by hand, relative to the whole volume's ranges."""
    hr, sr = pair()
    head = numpy.zeros(hr.shape[1:], bool)
    head[6:14, 6:18, 6:16] = True
    within = numpy.where(head, sr, hr)
    without = numpy.where(head, hr, sr)
    with numpy.errstate(divide='ignore'):
        perfect = scores(hr, without, head)
    assert perfect['rmse_head'] == 0 and perfect['psnr_head'] == numpy.inf and perfect['rmse'] > 0

    result = scores(hr, within, head)
    error = numpy.mean((hr.astype(float) - sr)[:, head] ** 2)
    assert result['rmse_head'] == pytest.approx(numpy.sqrt(error), rel=1e-5)
    for name, top in (('psnr_head', hr.max()), ('psnr_robust_head', numpy.percentile(hr, 99.5))):
        assert result[name] == pytest.approx(10 * numpy.log10((float(top) - float(hr.min())) ** 2 / error), abs=1e-3)
    _, ssim_map = structural_similarity(hr[0], within[0], data_range=float(hr.max() - hr.min()),
                                        gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True)
    assert result['ssim_head'] == pytest.approx(ssim_map[head].mean(), abs=1e-5)
    assert scores(hr, sr, ANYWHERE)['psnr_robust_head'] == pytest.approx(scores(hr, sr, ANYWHERE)['psnr_robust'])


def test_the_scores_are_those_that_the_table_of_metrics_names_in_its_order():
    """Tables are asked for their columns by METRICS: a score that it does not name would make each of them stale."""
    hr, sr = pair()
    assert tuple(scores(hr, sr, ANYWHERE)) == METRICS
    for region in REGIONS:
        assert f'psnr{region}' in METRICS


def test_a_score_is_the_mean_of_the_scores_of_the_channels_each_in_its_own_range():
    """Two channels whose intensities differ a hundredfold, and errors as well: neither decides alone."""
    head = numpy.zeros((20, 24, 22), bool)
    head[4:14, 6:18, 6:16] = True
    (hr, sr), (other_hr, other_sr) = pair(), pair(seed=1)
    other_sr = other_sr + gaussian_filter(other_sr, (0, 1, 1, 1))
    pairs = (hr, sr), (100 * other_hr, 100 * other_sr)
    both = [numpy.concatenate(images) for images in zip(*pairs)]
    alone = [scores(*one, head) for one in pairs]
    result = scores(*both, head)
    for name in METRICS:
        assert result[name] == pytest.approx(numpy.mean([one[name] for one in alone]), rel=1e-6)
    assert alone[0]['psnr'] > alone[1]['psnr'] + 5
    assert psnr(*both) == pytest.approx(numpy.mean([psnr(*one) for one in pairs])) == pytest.approx(result['psnr'])


def test_several_reconstructions_are_scored_as_each_alone():
    hr, sr = pair()
    images = {'network': sr, 'linear': numpy.zeros_like(hr)}
    result = mean_of_channels(channel_scores(hr, images, ANYWHERE))
    assert list(result) == ['network', 'linear']
    for name, image in images.items():
        assert result[name] == scores(hr, image, ANYWHERE)


@pytest.mark.parametrize('values', [
    numpy.random.default_rng(0).gamma(1, 50, (20, 30, 40)), numpy.arange(3.0), numpy.zeros(1), numpy.full(999, 7.0),
    numpy.random.default_rng(1).integers(0, 3, (30, 30, 30)).astype(numpy.int16),
    numpy.r_[numpy.zeros(5000), numpy.arange(10.0)], numpy.where(numpy.arange(6400) % 64, 5.0, 900.0)])
def test_the_robust_range_ends_at_the_percentile_whatever_a_sample_says_of_it(values):
    """Continuous, few, constant and tied values; bright ones that are rare; a sample of bright ones alone."""
    expected = numpy.percentile(values, 99.5) - values.min()
    assert robust_range(values) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_channel_of_one_value_has_no_similarity():
    """It is relative to the range, which is none: whatever rounding leaves of it would look like a score."""
    hr, sr = (numpy.concatenate(images) for images in zip(pair(), (numpy.full((1, 20, 24, 22), 7, numpy.float32),) * 2))
    result = scores(hr, sr + 1, ANYWHERE)
    assert numpy.isnan(result['ssim']) and numpy.isnan(result['ssim_head']) and numpy.isfinite(result['rmse'])


def test_a_volume_that_ssim_cannot_score_is_refused():
    hr, sr = pair()
    scores(hr[:, :11], sr[:, :11], ANYWHERE[:11])
    with pytest.raises(UserError, match=r'\(10, 24, 22\) .* SSIM needs 11 or more'):
        scores(hr[:, :10], sr[:, :10], ANYWHERE[:10])
