"""What is finite is drawn where it belongs, and what is not leaves the rest as it is."""
import math

import pytest

from util.reports.charts import dot_chart, line_chart

INFINITE = math.inf  # the PSNR of equal volumes


def places(chart):
    return {(round(dot['y']), dot['name']): dot['x'] for dot in chart['dots']}


def test_dots_lie_on_one_scale_from_left_to_right():
    chart = dot_chart({'a': {'linear': 30.0, 'network': 32.0}, 'b': {'linear': 31.0, 'network': 34.0}}, 'PSNR', 'dB')
    x = sorted(places(chart).values())
    assert chart['left'] < x[0] and x[-1] < chart['right']
    assert [round((b - a) / (x[1] - x[0]), 6) for a, b in zip(x, x[1:])] == [1, 1, 2]


@pytest.mark.parametrize('odd', [INFINITE, -INFINITE, math.nan])
def test_what_is_not_finite_has_no_dot_and_moves_no_other(odd):
    rows = {'a': {'linear': 30.0, 'network': odd}, 'b': {'linear': 31.0, 'network': 34.0}, 'c': {'linear': odd}}
    finite = {case: {name: value for name, value in values.items() if math.isfinite(value)}
              for case, values in rows.items()}
    chart = dot_chart(rows, 'PSNR', 'dB')
    assert places(chart) == places(dot_chart(finite, 'PSNR', 'dB')) and len(chart['dots']) == 3
    assert chart['names'] == ['linear', 'network'] and len(chart['y']) == 3
    assert dot_chart({'a': {'linear': odd}}, 'PSNR', 'dB')['dots'] == []


def test_a_curve_goes_through_its_points():
    chart = line_chart({'loss': [(0, 1.0), (10, 0.1), (20, 0.01)]}, 'loss', is_log=True)
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split(',')) for point in chart['lines'][0]['points'].split())
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y1 - y0 == pytest.approx(y2 - y1, abs=0.2) and y2 > y0
