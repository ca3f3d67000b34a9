import numpy
import pytest
from matplotlib import image

from tests.util.reports.remembered import remember_figures
from util.reports import training_figures
from util.reports.training_figures import save_curves_figure, save_sample_figure
from util.volumes.interpolation import upsample
from util.volumes.sampling import Sampling

LOG = [{'iteration': 10, 'main/loss': 0.5}, {'iteration': 20, 'main/loss': 0.25, 'val/loss': 0.4, 'val/psnr': 28.5,
                                             'val/psnr_linear': 30.0},
       {'iteration': 30, 'main/loss': 0.2}, {'iteration': 40, 'main/loss': 0.1, 'val/loss': 0.3, 'val/psnr': 31.5,
                                             'val/psnr_linear': 30.0}]


@pytest.fixture
def drawn(monkeypatch):
    return remember_figures(monkeypatch, training_figures)


def test_each_line_holds_the_log_s_numbers(drawn, tmp_path):
    save_curves_figure(tmp_path / 'gen_loss.png', LOG)
    loss, psnr = drawn[0].axes
    lines = {line.get_label(): line.get_xydata().tolist() for axes in (loss, psnr) for line in axes.get_lines()}
    assert lines == {'training': [[10, 0.5], [20, 0.25], [30, 0.2], [40, 0.1]], 'validation': [[20, 0.4], [40, 0.3]],
                     'network': [[20, 28.5], [40, 31.5]], 'linear interpolation': [[20, 30], [40, 30]]}
    assert (loss.get_yscale(), psnr.get_yscale()) == ('log', 'linear') and loss.get_xlim() == psnr.get_xlim()
    assert [path.name for path in tmp_path.iterdir()] == ['gen_loss.png']
    assert image.imread(tmp_path / 'gen_loss.png').std() > 0.05


@pytest.mark.parametrize('loss, scale', [(1e-9, 'log'), (0, 'linear'), (-2.5, 'linear')])
def test_a_loss_that_has_no_logarithm_is_on_a_linear_axis(drawn, tmp_path, loss, scale):
    save_curves_figure(tmp_path / 'a.png', [*LOG, {'iteration': 50, 'val/loss': loss}])
    assert drawn[0].axes[0].get_yscale() == scale


def test_both_axes_have_numbers_however_little_the_loss_changes(drawn, tmp_path):
    for smallest in (0.1, 0.13, 0.3, 0.39, 0.399):
        save_curves_figure(tmp_path / 'a.png', [{'iteration': n, 'main/loss': loss, 'val/psnr': 30 + n / 100}
                                                for n, loss in enumerate((0.4, smallest))])
    for figure in drawn:
        for axes in figure.axes:
            low, high = axes.get_ylim()
            ticks = [tick for tick, label in zip(axes.get_yticks(), axes.get_yticklabels()) if label.get_text()]
            assert sum(low <= tick <= high for tick in ticks) >= 2


@pytest.mark.parametrize('log', [LOG[:1], [{}], [{'iteration': 5, 'val/psnr': 1.0}]])
def test_a_log_that_has_little_is_drawn(log, tmp_path):
    """Before the first validation, or out of a snapshot of elsewhere."""
    save_curves_figure(tmp_path / 'a.png', log)
    assert (tmp_path / 'a.png').exists()


SPACING = 1.0, 1.5, 2.0
SAMPLING = Sampling((2, 3, 1), (0.5, 1, 0))


def make_case(plane):
    """LR, the network's output and HR; linear interpolation is wrong in the last ninth of one middle plane alone."""
    rng = numpy.random.default_rng(plane)
    lr = rng.uniform(1, 9, (2, 6, 4, 9)).astype(numpy.float32)
    hr = upsample(lr, SAMPLING, 'linear')
    z, y, x = (side // 2 for side in hr.shape[1:])
    where = [(z, slice(8, 12), slice(6, 9)), (slice(8, 12), y, slice(6, 9)), (slice(8, 12), slice(8, 12), x)][plane]
    hr[(0, *where)] += 3
    return lr, hr * 0.9, hr


@pytest.mark.parametrize('plane', [0, 1, 2])
def test_a_sample_shows_where_interpolation_fails_the_most(drawn, tmp_path, plane):
    """In the first channel alone: LR, interpolation, network and truth of that plane, and of a ninth of it."""
    lr, sr, hr = make_case(plane)
    name = 'a case, $_$'  # which matplotlib would take for a formula, and for a wrong one
    save_sample_figure(tmp_path / 'a.png', name, lr, sr, hr, SPACING, SAMPLING)
    figure, = drawn
    axes, = figure.axes
    assert [text.get_text() for text in axes.texts] == ['LR', 'linear', 'network', 'truth', name]
    blocks = lr.repeat(2, 1).repeat(3, 2)  # its voxels' centres are amid their blocks
    volumes = blocks, upsample(lr, SAMPLING, 'linear'), sr, hr
    white = numpy.percentile(numpy.take(hr[0], hr.shape[plane + 1] // 2, plane), 99.5)
    for volume, whole, part in zip(volumes, axes.images[::2], axes.images[1::2], strict=True):
        expected = numpy.take(volume[0], volume.shape[plane + 1] // 2, plane)
        rows, columns = (slice(2 * side // 3, side) for side in expected.shape)
        numpy.testing.assert_allclose(whole.get_array(), expected, rtol=1e-6)
        numpy.testing.assert_allclose(part.get_array(), expected[rows, columns], rtol=1e-6)
        assert whole.get_clim() == part.get_clim() == (0, pytest.approx(white))
        for shown in (whole, part):  # a voxel is as high and as wide as its spacing says
            left, right, bottom, top = shown.get_extent()
            across, up = ((0, 1), (0, 2), (1, 2))[plane]
            assert (top - bottom) / (right - left) == pytest.approx(
                SPACING[up] * expected.shape[0] / (SPACING[across] * expected.shape[1]))


def test_the_picture_is_the_truth_s_grey(drawn, tmp_path):
    lr, sr, hr = make_case(0)
    save_sample_figure(tmp_path / 'a.png', 'a case', lr, sr, hr, SPACING, SAMPLING)
    pixels, (axes,) = image.imread(tmp_path / 'a.png')[..., 0], drawn[0].axes
    part = axes.images[-1]
    left, right, bottom, top = numpy.array(part.get_extent()) * 80
    values = numpy.clip(part.get_array() / part.get_clim()[1], 0, 1)
    for (row, column), value in numpy.ndenumerate(values):
        y = bottom + (row + 0.5) / values.shape[0] * (top - bottom)
        x = left + (column + 0.5) / values.shape[1] * (right - left)
        assert pixels[pixels.shape[0] - 1 - int(y), int(x)] == pytest.approx(value, abs=0.01)
