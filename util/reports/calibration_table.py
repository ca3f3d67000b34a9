"""The report of a calibration: how wide intervals must be, and what the subjects it was learned from make of them."""
from statistics import NormalDist

from util.reports.score_table import in_columns
from util.scores.intervals import PERCENTS, SCORED, subjects_needed

MEANING = ("factor: what the predicted deviation is multiplied by, for half an interval's width; normal: what errors "
           'of\na normal law would need; guaranteed: what holds for a new subject on average (docs/uncertainty.md)')


def format_calibration(fit):
    """A calibration as text for a terminal.

    Args:
        fit (~util.scores.intervals.Fit): What was fitted.

    Returns:
        str: A line per level that is scored.
    """
    rows = [['level', 'factor', 'normal', 'subjects hold', 'guaranteed']]
    for percent in SCORED:
        level = PERCENTS.index(percent)
        normal, coverage = NormalDist().inv_cdf((1 + percent / 100) / 2), 100 * fit.coverage[:, level]
        rows.append([f'{percent} %', f'{fit.factors[level]:.3f}', f'{normal:.3f}',
                     f'{coverage.min():.1f} to {coverage.max():.1f} %', _guaranteed(fit, level)])
    return '\n'.join(['within the head', *in_columns(zip(*rows)), MEANING])


def _guaranteed(fit, level):
    if len(fit.coverage) < subjects_needed(PERCENTS[level]):
        return f'needs {subjects_needed(PERCENTS[level])} subjects or more'
    return f'{fit.guaranteed[level]:.3f}'
