"""The tables of a comparison, as Markdown."""
import numpy

from util.comparison.results import best_interpolation, gains, rows_of, values
from util.reports.score_table import UNITS
from util.scores.error_regions import ERROR_REGIONS, RIM
from util.scores.metrics import REGIONS


def format_markdown(results):
    """The tables of a comparison as Markdown.

    Args:
        results (list of ~util.comparison.results.Result): All runs, of the same cases.

    Returns:
        str: For each region the means ± standard deviations over the test cases, of the scores and of the paired
        differences to the best interpolation; the differences of each case; where the error lies; the test for a
        checkerboard.
    """
    rows = rows_of(results)
    return '\n\n'.join([
        'Mean ± standard deviation over the test cases; gain: the network less the best interpolation of the same LR, '
        'case by case (the best by mean PSNR in that region). PSNR and SSIM with the range max - min of the true HR '
        'volume; the head as found in the true HR volume.',
        *(f'## {name.capitalize()}\n\n' + _region_table(rows, region) for region, name in REGIONS.items()),
        '## Each case\n\n' + _case_table(rows),
        '## Where the error is\n\n' + _where_table(rows),
        '## Checkerboard\n\n' + _pattern_table(rows)]) + '\n'


def _region_table(rows, region):
    several = any(len(row.seeds) > 1 for row in rows)
    head = ['recipe', 'LR', 'PSNR [dB]', 'SSIM', 'RMSE', 'best interpolation', 'its PSNR', 'its SSIM', 'gain PSNR [dB]',
            'gain SSIM'] + ['gain PSNR of each seed'] * several
    lines = []
    for row in rows:
        best = best_interpolation(row.scores, region)
        scored = [_spread(values(row.scores, f'{metric}{region}_network'), form)
                  for metric, (_, form) in UNITS.items()]
        interpolated = [f'{values(row.scores, f"{metric}{region}_{best}").mean():{form}}'
                        for metric, form in (('psnr', '.2f'), ('ssim', '.4f'))]
        gained = [_spread(gains(row.scores, metric, region), form, '+')
                  for metric, form in (('psnr', '.2f'), ('ssim', '.4f'))]
        each = [', '.join(f'{gains(scores, "psnr", region).mean():+.2f}' for scores in row.seeds)] * several
        lines.append([row.name, row.lr, *scored, best, *interpolated, *gained, *each])
    return _table(head, lines)


def _case_table(rows):
    cases = sorted({case for row in rows for case in row.scores})
    head = ['gain PSNR [dB], whole / head', 'LR', *cases]
    lines = []
    for row in rows:
        both = [dict(zip(row.scores, gains(row.scores, 'psnr', region))) for region in REGIONS]
        lines.append([row.name, row.lr, *(' / '.join(f'{region[case]:+.2f}' for region in both) for case in cases)])
    return _table(head, lines)


def _where_table(rows):
    head = ['recipe', 'LR', *(f'{region}: {words}' for region in ERROR_REGIONS for words in ('share', 'gain [dB]'))]
    lines = []
    for row in rows:
        best = best_interpolation(row.scores, '')
        before, after = ({region: values(row.scores, f'mse_{region}_{method}') for region in ERROR_REGIONS}
                         for method in (best, 'network'))
        whole, cells = sum(before.values()), []
        for region in ERROR_REGIONS:
            with numpy.errstate(divide='ignore', invalid='ignore'):  # a scan cut close has no air: nan
                gain = 10 * numpy.log10(before[region] / after[region])
            cells += [f'{100 * (before[region] / whole).mean():.1f} %', f'{gain.mean():+.2f}']
        lines.append([row.name, row.lr, *cells])
    return ("Share: of the best interpolation's squared error over the whole volume. Gain: the network's, in that part "
            f'of it. Rim: up to {RIM} voxels outside of the head; air: beyond.\n\n' + _table(head, lines))


def _pattern_table(rows):
    head = ['recipe', 'LR', *(f'{measure}, {image}' for measure in ('pattern', 'grid peak', 'worst phase')
                              for image in ('network', 'interpolation'))]
    lines = []
    for row in rows:
        best = best_interpolation(row.scores, '')
        pattern, peak, worst = ([values(row.scores, f'{measure}_{method}').mean() for method in ('network', best)]
                                for measure in ('pattern', 'grid_peak', 'worst_phase'))
        lines.append([row.name, row.lr, *(f'{100 * value:.2f} %' for value in pattern),
                      *(f'{value:.2f}' for value in peak), *(f'{value:.2f}' for value in worst)])
    return ('Pattern: share of the squared error in the head that is one fixed pattern repeated in every block of the '
            "shuffle. Grid peak: power of the error's spectrum at multiples of 1/r over the power around them, largest "
            'of the axes; about 1 without a checkerboard. Worst phase: the largest mean squared error of a phase over '
            'the mean of the phases.\n\n' + _table(head, lines))


def _spread(array, form, sign=''):
    deviation = f' ± {array.std(ddof=1):{form}}' if len(array) > 1 else ''
    return f'{array.mean():{sign}{form}}{deviation}'


def _table(head, lines):
    return '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in [head, ['---'] * len(head), *lines])
