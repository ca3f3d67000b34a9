import numpy
import pytest

from util.reports.calibration_table import format_calibration
from util.scores.intervals import PERCENTS, Fit


@pytest.mark.parametrize('largest', [2.5, 54321.0])
def test_each_number_stands_below_its_heading_whatever_the_factors(largest):
    """A network that is far too sure needs large ones."""
    factors = numpy.linspace(0.1, largest, len(PERCENTS))
    coverage = numpy.array([numpy.array(PERCENTS) / 100 - 0.01, numpy.array(PERCENTS) / 100 + 0.02])
    title, heads, *lines, _, _ = format_calibration(Fit(factors, 2 * factors, coverage)).splitlines()
    assert title == 'within the head' and [line[:4] for line in lines] == ['50 %', '90 %', '95 %']
    for line, percent, normal in zip(lines, (50, 90, 95), (0.674, 1.645, 1.96)):
        factor = factors[PERCENTS.index(percent)]
        for heading, value in (('factor', factor), ('normal', normal), ('subjects', percent - 1)):
            assert float(line[heads.index(heading):].split()[0]) == pytest.approx(value, abs=6e-4)
        needed = f'needs {percent // (100 - percent)} subjects or more'
        assert line[heads.index('guaranteed'):] == (f'{2 * factor:.3f}' if percent == 50 else needed)
