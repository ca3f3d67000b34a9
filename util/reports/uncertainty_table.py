"""The table of how good predicted deviations are: one row per case, and their mean."""
from util.reports.score_table import in_columns, with_mean, write_table
from util.scores.intervals import SCORED
from util.scores.metrics import REGIONS

# what a person sees of the metrics of `util.scores.uncertainty`: metric -> heading; three decimals each
HEADINGS = {'nll': 'NLL', 'coverage50': 'in 50 %', 'coverage90': 'in 90 %', 'coverage95': 'in 95 %',
            'miscalibration': 'miscal.', 'sharpness_ratio': 'to RMSE', 'ence': 'ENCE', 'ause': 'AUSE',
            'left80': 'left80', 'correlation': 'corr.'}
CALIBRATED = {f'calibrated{level}': f'in {level} %' for level in SCORED}  # of a calibrated network
MEANING = ('NLL in nats per voxel; in 50 %: share of voxels within that interval; to RMSE: predicted deviation over '
           'RMSE;\nleft80: RMSE of the surest 80 % over that of all (docs/uncertainty.md)')


def save_csv(path, rows):
    """Write scores of uncertainty as CSV, in full precision: one row per case, then their mean.

    Args:
        path (Path): File to write.
        rows (dict): case -> {metric: value}, as of `util.scores.uncertainty`.
    """
    write_table(path, with_mean(rows))


def format_table(rows):
    """Scores of uncertainty as text for a terminal.

    Args:
        rows (dict): As of :func:`save_csv`.

    Returns:
        str: One block per region, with a column per metric; and one of calibrated intervals, within the head.
    """
    table = with_mean(rows)
    return '\n\n'.join([*(_format_block(table, *block) for block in blocks_of(table)), MEANING])


def blocks_of(table):
    """The blocks that a person sees of a table with its mean: (title, suffix of the metrics, metric -> heading)."""
    inside = '_head'
    blocks = [(f'predicted deviation, {region}', suffix, HEADINGS) for suffix, region in REGIONS.items()]
    if f'calibrated50{inside}' in table['mean']:
        blocks.append((f'calibrated intervals, {REGIONS[inside]}', inside, CALIBRATED))
    return blocks


def _format_block(table, title, suffix, headings):
    columns = [['case', *table], *([f'{heading:<7}', *(f'{values[metric + suffix]:.3f}' for values in table.values())]
                                   for metric, heading in headings.items())]
    return '\n'.join([title, *in_columns(columns)])
