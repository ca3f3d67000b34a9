"""The score table: a row a case and their mean, the network beside the interpolations."""
import csv

import numpy

from util.files import replacing

UNITS = {'psnr': ('PSNR [dB]', '.2f'), 'ssim': ('SSIM', '.4f'), 'rmse': ('RMSE', '.3f')}
REGIONS = {'': 'whole volume', '_head': 'within the head'}  # suffix of the metric -> what a person reads
RANGES = ('PSNR and SSIM: range max - min of the true HR volume; the head: as found in the true HR volume\n'
          'psnr_robust in scores.csv: range 99.5th percentile - min of the true HR volume')


def _with_mean(rows):
    """Rows as {case: {(metric, method): value}}, and the mean of the cases under 'mean'."""
    methods = next(iter(rows.values()))
    metrics = next(iter(methods.values()))
    flat = {case: {(metric, method): values[method][metric] for metric in metrics for method in methods}
            for case, values in rows.items()}
    cases = list(flat.values())
    return {**flat, 'mean': {column: float(numpy.mean([case[column] for case in cases])) for column in cases[0]}}


def save_csv(path, rows):
    """Write ``{case: {method: {metric: value}}}`` as CSV, with columns such as ``psnr_network``; full precision."""
    table = _with_mean(rows)
    with replacing(path) as temporary, open(temporary, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['case'] + [f'{metric}_{method}' for metric, method in table['mean']])
        for case, values in table.items():
            writer.writerow([case, *values.values()])


def read_csv(path):
    """The rows that :func:`save_csv` wrote, without the mean: ``{case: {column: value}}``."""
    with open(path, newline='', encoding='utf-8') as file:
        rows = {row.pop('case'): {column: float(value) for column, value in row.items()}
                for row in csv.DictReader(file)}
    del rows['mean']
    return rows


def format_table(rows):
    """The same as text for a terminal: a block a region, a group of columns a metric, the methods side by side."""
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
