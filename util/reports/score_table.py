"""The score table: one row per case, and their mean; the network beside the interpolations."""
import csv

import numpy

from util.files import replacing
from util.scores.metrics import REGIONS

UNITS = {'psnr': ('PSNR [dB]', '.2f'), 'ssim': ('SSIM', '.4f'), 'rmse': ('RMSE', '.3f')}
RANGES = ('PSNR and SSIM: range max - min of the true HR volume; the head: as found in the true HR volume\n'
          'psnr_robust in scores.csv: range 99.5th percentile - min of the true HR volume')


def _with_mean(rows):
    """Rows as {case: {(metric, method): value}}, and the mean of the cases under 'mean'."""
    methods = next(iter(rows.values()))
    metrics = next(iter(methods.values()))
    return with_mean({case: {(metric, method): values[method][metric] for metric in metrics for method in methods}
                      for case, values in rows.items()})


def with_mean(rows):
    """Rows {case: {column: value}}, and the mean of the cases under 'mean'."""
    cases = list(rows.values())
    return {**rows, 'mean': {column: float(numpy.mean([case[column] for case in cases])) for column in cases[0]}}


def columns_of(metrics, methods):
    """The columns of a table, such as ``psnr_network``, in their order: a metric's methods side by side."""
    return [f'{metric}_{method}' for metric in metrics for method in methods]


def save_csv(path, rows):
    """Write scores as CSV, in full precision: one row per case, then their mean.

    Args:
        path (Path): File to write.
        rows (dict): case -> {method: {metric: value}}, with the same methods and metrics in each.
    """
    write_table(path, {case: {f'{metric}_{method}': value for (metric, method), value in values.items()}
                       for case, values in _with_mean(rows).items()})


def write_table(path, table):
    """Write a table {row: {column: value}} as CSV, whole or not at all."""
    with replacing(path) as temporary, open(temporary, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['case', *next(iter(table.values()))])
        for case, values in table.items():
            writer.writerow([case, *values.values()])


def read_csv(path):
    """The rows that :func:`save_csv` wrote, without the mean.

    Args:
        path (Path): File to read.

    Returns:
        dict: case -> {column: value}, with columns such as ``psnr_network``.
    """
    with open(path, newline='', encoding='utf-8') as file:
        rows = {row.pop('case'): {column: float(value) for column, value in row.items()}
                for row in csv.DictReader(file)}
    del rows['mean']
    return rows


def is_current(path, columns, cases, sources):
    """Whether a table need not be made again, as `make` decides it.

    Args:
        path (Path): The table.
        columns (list of str): The columns that it would have if it were made now.
        cases (list of str): The cases that it would have.
        sources (list of Path): The files that it is made of.

    Returns:
        bool: True if the table is there and whole, has these columns and cases, and is no older than any source.
    """
    try:
        rows = read_csv(path)
        newest = max(source.stat().st_mtime_ns for source in sources)
        return (list(rows) == list(cases) and all(list(row) == list(columns) for row in rows.values())
                and path.stat().st_mtime_ns >= newest)
    except (OSError, KeyError, ValueError, TypeError, csv.Error):
        return False


def format_table(rows):
    """Scores as text for a terminal.

    Args:
        rows (dict): As of :func:`save_csv`.

    Returns:
        str: One block per region. In it one group of columns per metric, with the methods side by side.
    """
    table = _with_mean(rows)
    blocks = [_format_block(table, list(next(iter(rows.values()))), suffix, name) for suffix, name in REGIONS.items()]
    return '\n\n'.join([*blocks, RANGES])


def _format_block(table, methods, suffix, name):
    name_width = max(map(len, table))
    group_width = sum(len(method.rjust(7)) + 1 for method in methods)
    lines = [name, ' ' * name_width + ''.join(f'  {UNITS[metric][0]:<{group_width}}' for metric in UNITS),
             'case'.ljust(name_width) + ''.join('  ' + ''.join(f'{method:<7} ' for method in methods) for _ in UNITS)]
    for case, values in table.items():
        groups = (''.join(f'{values[metric + suffix, method]:<{max(7, len(method))}{UNITS[metric][1]}} '
                          for method in methods) for metric in UNITS)
        lines.append(case.ljust(name_width) + ''.join('  ' + group for group in groups))
    return '\n'.join(line.rstrip() for line in lines)
