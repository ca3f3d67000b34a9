"""The table of tensor scores: the network beside the interpolations, in the brain, its interior and exterior."""
from util.reports.score_table import with_mean, write_table
from util.scores.tensor_scores import REGIONS

_HEADINGS = {  # quantity -> heading, format
    'elements': ('elements', '.3f'), 'md': ('MD', '.3f'), 'fa': ('FA', '.4f')}
UNITS = 'RMSE; elements and MD in 1e-4 mm^2/s; interior: all that the network looks at lies in the brain'


def save_csv(path, rows):
    """Write tensor scores as CSV, in full precision: one row per case, then their mean.

    Args:
        path (Path): File to write.
        rows (dict): case -> ({method: {metric: value}}, {metric: value} of the predicted deviation, or nothing).
    """
    write_table(path, with_mean({case: {**{f'{metric}_{method}': value for method, values in methods.items()
                                           for metric, value in values.items()}, **deviation}
                                 for case, (methods, deviation) in rows.items()}))


def format_table(rows):
    """Tensor scores as text for a terminal: a block per case, with the methods below each other.

    Args:
        rows (dict): As of :func:`save_csv`.

    Returns:
        str: The blocks; of a predicted deviation a line for each region.
    """
    return '\n\n'.join([*(_block(case, *scores) for case, scores in rows.items()), UNITS])


def _block(case, methods, deviation):
    groups = ''.join(f'{heading:<9}' for heading, _ in _HEADINGS.values())
    lines = [case, ' ' * 9 + ''.join(f'{region:<{len(groups)}}' for region in REGIONS), ' ' * 9 + groups * len(REGIONS)]
    for method, values in methods.items():
        lines.append(f'{method:<9}' + ''.join(f'{values[f"{quantity}_{region}"]:<9{form}}' for region in REGIONS
                                              for quantity, (_, form) in _HEADINGS.items()))
    for region in REGIONS if deviation else ():
        said = (f'{_HEADINGS[quantity][0]}: {deviation[f"{quantity}_sharpness_ratio_{region}"]:.3f} of the RMSE, '
                f'{deviation[f"{quantity}_coverage95_{region}"]:.3f} in 95 %, '
                f'correlation {deviation[f"{quantity}_correlation_{region}"]:.3f}' for quantity in ('md', 'fa'))
        lines.append(f'deviation, {region}: {"; ".join(said)}')
    return '\n'.join(line.rstrip() for line in lines)
