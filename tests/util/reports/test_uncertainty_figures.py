import numpy
import pytest
from matplotlib import image

from tests.util.reports.remembered import remember_figures
from util.reports import uncertainty_figures
from util.reports.uncertainty_figures import save_uncertainty_figure
from util.scores.uncertainty import TAKEN_OUT, uncertainty_scores


def curves(channels=2):
    rng = numpy.random.default_rng(0)
    deviation = rng.lognormal(1, 0.5, (channels, 20, 20, 20)) * 10 ** numpy.arange(channels)[:, None, None, None]
    hr = rng.normal(100, 10, deviation.shape)
    return uncertainty_scores(hr, hr + deviation * rng.normal(size=hr.shape), deviation, hr[0] > 100)[1]


def save(path, channels, monkeypatch):
    made = remember_figures(monkeypatch, uncertainty_figures)
    save_uncertainty_figure(path, '0001 $_$', channels)  # no formula, and matplotlib must not take it for one
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert image.imread(path)[..., :3].std() > 0.05
    return {axes.get_title(): {line.get_label(): line.get_xydata().T for line in axes.lines} for axes in made[0].axes}


def test_each_panel_has_its_curves_beside_what_would_be_right(tmp_path, monkeypatch):
    channels = curves()
    panels = save(tmp_path / '0001_uncertainty.png', channels, monkeypatch)
    assert list(panels) == ['calibration', 'reliability', 'sparsification']
    for panel in ('calibration', 'reliability'):
        across, up = panels[panel]['right']
        numpy.testing.assert_array_equal(across, up)
    ends = panels['reliability']['right'][0]
    for number, of_channel in enumerate(channels, 1):  # as tables and pictures count them
        name = f'channel {number}'
        numpy.testing.assert_allclose(panels['calibration'][name], [numpy.arange(5, 100, 5) / 100, of_channel.coverage])
        numpy.testing.assert_array_equal(panels['reliability'][name], [of_channel.predicted, of_channel.rmse])
        assert ends[0] <= panels['reliability'][name].min() and panels['reliability'][name].max() <= ends[1]
        numpy.testing.assert_array_equal(panels['sparsification'][name], [TAKEN_OUT, of_channel.left])
        numpy.testing.assert_array_equal(panels['sparsification'][f'{name}, ideal order'],
                                         [TAKEN_OUT, of_channel.ideal])
    assert (panels['sparsification']['at random'][1] == 1).all()


@pytest.mark.parametrize('deviation, error', [(0, 1), (3, 0), (0, 0)])
def test_a_deviation_or_an_error_of_nothing_is_drawn_as_far_as_it_can_be(tmp_path, monkeypatch, deviation, error):
    hr = numpy.random.default_rng(0).normal(100, 10, (1, 20, 20, 20))
    _, channels = uncertainty_scores(hr, hr + error, numpy.full(hr.shape, deviation), hr[0] > 100)
    panels = save(tmp_path / '0001_uncertainty.png', channels, monkeypatch)
    numpy.testing.assert_array_equal(panels['calibration']['network'][1], deviation >= error)
