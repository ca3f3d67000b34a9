import chainer
import numpy
import pytest
from chainer.distributions import Laplace, Normal
from scipy import stats
from skimage import metrics

from util.config import Loss
from util.script import UserError
from util.training.losses import LOSSES, check_intensities, gaussian_nll

DIFFERENCE = numpy.array([[0.0, 3e-4, -0.5], [2.0, -1e-3, 0.1]], numpy.float32)
FORMULAS = {'mse': lambda d: d**2, 'l1': abs, 'charbonnier': lambda d: numpy.sqrt(d**2 + 1e-6)}
DERIVATIVES = {'mse': lambda d: 2 * d, 'l1': numpy.sign, 'charbonnier': lambda d: d / numpy.sqrt(d**2 + 1e-6)}


@pytest.mark.parametrize('name', FORMULAS)
def test_it_is_the_mean_of_the_formula_and_so_is_its_gradient(name):
    sr = chainer.Variable(1 + DIFFERENCE)
    loss = LOSSES[name](sr, numpy.ones_like(DIFFERENCE))
    difference = (sr.array - 1).astype(numpy.float64)
    assert loss.shape == () and loss.dtype == numpy.float32
    assert float(loss.array) == pytest.approx(FORMULAS[name](difference).mean(), rel=1e-5)
    loss.backward()
    numpy.testing.assert_allclose(sr.grad, DERIVATIVES[name](difference) / difference.size, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize('name', ['mse', 'l1', 'charbonnier', 'psnr', 'mse_ssim'])
def test_shapes_that_numpy_would_stretch_are_refused(name):
    """A truth of one channel beside a prediction of two would give a number, and not the loss."""
    hr = numpy.zeros((1, 1, 8, 8, 8), numpy.float32)
    with pytest.raises((ValueError, chainer.utils.type_check.InvalidType)):
        LOSSES[name](chainer.Variable(numpy.ones((1, 2, 8, 8, 8), numpy.float32)), hr)


@pytest.mark.parametrize('name', FORMULAS)
def test_of_a_distribution_it_takes_the_mean(name):
    mean = chainer.Variable(1 + DIFFERENCE)
    truth = numpy.ones_like(DIFFERENCE)
    loss = LOSSES[name](Normal(mean, numpy.full_like(DIFFERENCE, 7)), truth)
    assert float(loss.array) == float(LOSSES[name](mean, truth).array)


def test_charbonnier_takes_its_epsilon():
    loss = LOSSES['charbonnier'](DIFFERENCE, numpy.zeros_like(DIFFERENCE), epsilon=0.5)
    assert float(loss.array) == pytest.approx(numpy.sqrt(DIFFERENCE.astype(float) ** 2 + 0.25).mean(), rel=1e-5)


def test_mse_ssim_is_what_scikit_image_has_of_the_mean():
    rng = numpy.random.default_rng(0)
    hr = rng.random((1, 1, 8, 9, 10), numpy.float32)
    sr = hr + 0.2 * rng.standard_normal(hr.shape, numpy.float32)
    similarity = metrics.structural_similarity(sr[0, 0].astype(float), hr[0, 0].astype(float), data_range=2)
    expected = metrics.mean_squared_error(sr, hr) + 0.3 * (1 - similarity)
    for prediction in sr, Normal(sr, numpy.ones_like(sr)):
        assert float(LOSSES['mse_ssim'](prediction, hr, weight=0.3, peak=2).array) == pytest.approx(expected, abs=1e-5)


def test_mse_ssim_says_which_patches_it_needs():
    with pytest.raises(UserError, match=r'mse_ssim needs 7 HR voxels or more along each axis, .* have \(8, 6, 8\)'):
        LOSSES['mse_ssim'](*[numpy.zeros((1, 1, 8, 6, 8), numpy.float32)] * 2)


def test_psnr_is_the_mean_of_what_scikit_image_has_of_each_patch():
    """Negative, with a range of 1; the floor is far below these errors."""
    rng = numpy.random.default_rng(0)
    hr = rng.random((3, 2, 4, 5, 6), numpy.float32)
    sr = hr + numpy.array([0.5, 0.05, 0.2])[:, None, None, None, None] * rng.standard_normal(hr.shape)
    expected = -numpy.mean([metrics.peak_signal_noise_ratio(*pair, data_range=1) for pair in zip(hr.astype(float), sr)])
    sr = sr.astype(numpy.float32)
    for prediction in sr, Normal(sr, numpy.ones_like(sr)):
        loss = LOSSES['psnr'](prediction, hr, floor=1e-12)
        assert loss.shape == () and loss.dtype == numpy.float32
        assert float(loss.array) == pytest.approx(expected, rel=1e-5)


def test_by_psnr_each_patch_counts_by_how_much_better_it_could_be():
    """Scaling one patch's error changes nothing of the others' gradient, and one below the floor counts for less."""
    def gradients(*scales):
        sr = chainer.Variable(numpy.stack([scale * DIFFERENCE for scale in scales])[:, None, None].astype('f'))
        LOSSES['psnr'](sr, numpy.zeros_like(sr.array), floor=1e-4).backward()
        return [(gradient * difference).sum() for gradient, difference in zip(sr.grad, sr.array)]

    assert gradients(1, 1) == pytest.approx(gradients(100, 0.2), rel=2e-2)
    assert gradients(1, 1e-3)[1] == pytest.approx(gradients(1, 1)[1] * 1e-6 * (DIFFERENCE ** 2).mean() / 1e-4, rel=2e-2)


@pytest.mark.parametrize('floor', [1e-5, 0.3])
def test_the_gradient_of_psnr_is_the_formula_s(floor):
    sr = chainer.Variable(1 + DIFFERENCE[:, None, None, None])
    LOSSES['psnr'](sr, numpy.ones_like(sr.array), floor=floor).backward()
    d = (sr.array - 1).astype(float)
    error = (d ** 2).mean(axis=(1, 2, 3, 4), keepdims=True)
    expected = 10 / numpy.log(10) * 2 * d / 3 / (error + floor) / 2
    numpy.testing.assert_allclose(sr.grad, expected, rtol=1e-4)


def test_the_losses_are_those_tested_here():
    assert set(LOSSES) == {*FORMULAS, 'psnr', 'mse_ssim', 'gaussian_nll'}


SCALE = numpy.array([[1.0, 0.3, 2e-3], [5.0, 0.1, 40.0]], numpy.float32)


def test_without_a_weight_the_gaussian_loss_is_the_likelihood():
    """SciPy's, but for the constant."""
    loss = gaussian_nll(Normal(1 + DIFFERENCE, SCALE), numpy.ones_like(DIFFERENCE), beta=0.0)
    expected = -stats.norm.logpdf(1, loc=1 + DIFFERENCE.astype(float), scale=SCALE) - numpy.log(2 * numpy.pi) / 2
    assert loss.shape == () and loss.dtype == numpy.float32
    assert float(loss.array) == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize('beta', [0.0, 0.5, 1.0])
def test_the_gaussian_loss_s_gradients_are_those_of_the_likelihood_times_the_variance_to_the_beta(beta):
    """With beta 1 the mean's is that of half the mean squared error, however sure the network is."""
    mean, scale = chainer.Variable(1 + DIFFERENCE), chainer.Variable(SCALE)
    gaussian_nll(Normal(mean, scale), numpy.ones_like(DIFFERENCE), beta=beta).backward()
    d, s = (mean.array - 1).astype(float), SCALE.astype(float)
    numpy.testing.assert_allclose(mean.grad, s ** (2 * beta) * d / s ** 2 / d.size, rtol=1e-4, atol=1e-9)
    numpy.testing.assert_allclose(scale.grad, s ** (2 * beta) * (1 / s - d ** 2 / s ** 3) / d.size, rtol=1e-3,
                                  atol=1e-9)
    if beta == 1:
        numpy.testing.assert_allclose(mean.grad, d / d.size, rtol=1e-4, atol=1e-9)


def test_a_second_gradient_of_the_gaussian_loss_is_refused():
    mean = chainer.Variable(1 + DIFFERENCE)
    with pytest.raises(RuntimeError, match='differentiable once'):
        chainer.grad([gaussian_nll(Normal(mean, SCALE), DIFFERENCE)], [mean], enable_double_backprop=True)


@pytest.mark.parametrize('beta', [0.0, 0.5])
def test_a_divergence_counts_as_much_as_a_voxel_s_likelihood_does(beta):
    """With the mean weight, which has no gradient: only the divergence itself has one."""
    hr, divergence = DIFFERENCE * 0, chainer.Variable(numpy.array(0.3, numpy.float32))
    prediction = Normal(DIFFERENCE, SCALE)
    loss = gaussian_nll(prediction, hr, divergence, beta=beta)
    weight = numpy.mean(SCALE.astype(float) ** (2 * beta))
    assert float((loss - gaussian_nll(prediction, hr, beta=beta)).array) == pytest.approx(0.3 * weight, rel=1e-3)
    loss.backward()
    assert float(divergence.grad) == pytest.approx(weight, rel=1e-5)


@pytest.mark.parametrize('prediction', [chainer.Variable(DIFFERENCE), Laplace(DIFFERENCE, SCALE)])
def test_the_gaussian_loss_refuses_what_is_no_gaussian(prediction):
    with pytest.raises(UserError, match='gaussian_nll needs a network that returns a Normal distribution, .* this one '
                                        f'returns a {type(prediction).__name__}'):
        gaussian_nll(prediction, DIFFERENCE)


@pytest.mark.gpu
@pytest.mark.parametrize('name', LOSSES)
def test_gpu_equals_cpu(name, gpu):
    difference = numpy.resize(DIFFERENCE, (1, 1, 7, 8, 9))

    def results(send):
        sr = chainer.Variable(send(1 + difference))
        loss = LOSSES[name](Normal(sr, send(numpy.ones_like(difference))), send(numpy.ones_like(difference)))
        loss.backward()
        return loss.array, sr.grad

    for on_gpu, on_cpu in zip(results(gpu.send), results(numpy.asarray), strict=True):
        numpy.testing.assert_allclose(on_gpu.get(), on_cpu, rtol=1e-5, atol=1e-9)


def test_intensities_far_from_the_range_of_ssim_are_refused():
    def check(top, hr_shape=(1, 8, 8, 8), loss='mse_ssim'):
        check_intensities(Loss(name=loss), numpy.full((1, 4, 4, 4), top, numpy.float32), numpy.empty(hr_shape))

    check(4)
    for top in 0.2, 200:
        with pytest.raises(UserError, match=f'reach {top}, and loss: mse_ssim goes by a range of 3; use intensity'):
            check(top)
    with pytest.raises(UserError, match='needs 7 HR voxels'):
        check(4, (1, 8, 8, 6))
    check(200, (1, 1, 1, 1), 'mse')
