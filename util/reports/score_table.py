"""The score table: one row per case, and their mean; the network beside the interpolations."""
import csv

import numpy

from util.files import replacing
from util.scores.metrics import REGIONS

# heading and format; an RMSE is in the volume's units, and those of a map in mm^2/s are thousandths
UNITS = {'psnr': ('PSNR [dB]', '.2f'), 'ssim': ('SSIM', '.4f'), 'rmse': ('RMSE', '#.4g')}
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
    firsts, groups = ['', 'case', *table], [_format_group(table, methods, metric, suffix) for metric in UNITS]
    return '\n'.join([name, *in_columns([firsts, *groups])])


def in_columns(columns):
    """The lines (str) of a table of columns (sequences of str), each as wide as its longest text."""
    columns = [[text.ljust(max(map(len, column))) for text in column] for column in columns]
    return ['  '.join(line).rstrip() for line in zip(*columns)]


def _format_group(table, methods, metric, suffix):
    """The lines of a metric's columns: its heading, the methods, and a line per row of the table."""
    heading, form = UNITS[metric]
    rows = [methods, *([f'{values[metric + suffix, method]:{form}}' for method in methods]
                       for values in table.values())]
    width = max(7, *(len(text) for row in rows for text in row))
    return [heading.ljust((width + 1) * len(methods)), *(''.join(f'{text:<{width}} ' for text in row) for row in rows)]
