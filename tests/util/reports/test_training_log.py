import json

import pytest

from util.reports.training_log import training_charts

ENTRIES = [{'iteration': 500, 'main/loss': 100.0},
           {'iteration': 1000, 'main/loss': 1.0, 'val/loss': 10.0, 'val/psnr': 31.0, 'val/psnr_linear': 30.0},
           {'iteration': 1500, 'main/loss': float('nan')},
           {'iteration': 2000, 'main/loss': 0.1, 'val/loss': 1.0, 'val/psnr': 33.0, 'val/psnr_linear': 30.0}]


def charts_of(folder, entries):
    (folder / 'log').write_text(json.dumps(entries))
    return training_charts(folder / 'log')


def points(chart, name):
    line = next(line for line in chart['lines'] if line['name'] == name)
    return [tuple(map(float, point.split(','))) for point in line['points'].split()]


def test_curves_stand_where_their_values_are(tmp_path):
    (psnr, loss), why = charts_of(tmp_path, ENTRIES)
    assert not why
    (x1, y1), (x2, y2) = points(psnr, 'network')
    (_, linear), (_, same) = points(psnr, 'linear')
    assert x1 < x2 and y2 < y1 < linear == same  # up is less in SVG
    assert (linear - y1) / (y1 - y2) == pytest.approx(1 / 2, abs=0.01)  # 30, 31, 33 dB
    places = [y for _, y in points(loss, 'training')]  # 100, 1, 0.1: even on a logarithmic axis; NaN has no place
    assert (places[1] - places[0]) / (places[2] - places[1]) == pytest.approx(2, abs=0.02)
    ticks = {text: place for place, text in psnr['y']}
    assert ticks['30'] == pytest.approx(linear, abs=0.1)


def test_a_likelihood_may_be_negative(tmp_path):
    (loss,), _ = charts_of(tmp_path, [{'iteration': i, 'main/loss': value} for i, value in ((1, 1), (2, 0), (3, -1))])
    places = [y for _, y in points(loss, 'training')]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)


@pytest.mark.parametrize('text, words', [
    (None, 'there is no'), ('{', 'is no log'), ('[1]', 'is no log'), ('7', 'is no log'), ('[]', 'holds no curve'),
    ('[{"main/loss": 1}]', 'is no log'), ('[{"iteration": "x", "main/loss": 1}]', 'is no log'),
    ('[' * 100_000, 'is no log')])
def test_why_there_is_no_curve_is_said(tmp_path, text, words):
    if text is not None:
        (tmp_path / 'log').write_text(text)
    charts, why = training_charts(tmp_path / 'log')
    assert not charts and words in why and str(tmp_path / 'log') in why
