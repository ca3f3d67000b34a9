"""The results of a comparison, each paired with the best interpolation of the same LR."""
import csv
from typing import NamedTuple

import numpy

from util.files import replacing
from util.volumes.interpolation import METHODS


class Result(NamedTuple):
    """The scores of one run's test cases."""
    recipe: str
    lr: str          # rate and degradation, such as 'x4 bspline'
    seed: int
    ensemble: bool
    scores: dict     # case -> column of scores.csv (psnr_network, ...) or of errors.csv -> value


class Row(NamedTuple):
    """The results of one recipe on one kind of LR: a row of the tables."""
    name: str        # the recipe's, with ' + ensemble' where that was used
    lr: str          # rate and degradation, such as 'x4 bspline'
    scores: dict     # case -> {column: mean over the seeds}
    seeds: list      # for each seed: case -> {column: value}


def lr_name(config):
    """Rate and degradation for a table: 'x4 bspline', 'x[4, 1, 1] block_mean'."""
    rate = config.upsampling_rate
    return f'x{rate[0] if len(set(rate)) == 1 else list(rate)} {config.degradation.name}'


def rows_of(results):
    """One Row for each recipe, LR and kind of inference, in the order of ``results``."""
    groups = {}
    for result in results:
        name = result.recipe + (' + ensemble' if result.ensemble else '')
        groups.setdefault((name, result.lr), []).append(result.scores)
    return [Row(name, lr, _mean(seeds), seeds) for (name, lr), seeds in groups.items()]


def _mean(seeds):
    return {case: {column: float(numpy.mean([scores[case][column] for scores in seeds])) for column in columns}
            for case, columns in seeds[0].items()}


def values(scores, column):
    """A column of ``{case: {column: value}}`` as an array with one value per case."""
    return numpy.array([columns[column] for columns in scores.values()])


def best_interpolation(scores, region):
    """The interpolation method with the highest mean PSNR of the cases in a region ('' or '_head')."""
    return max(METHODS, key=lambda method: values(scores, f'psnr{region}_{method}').mean())


def gains(scores, metric, region):
    """Network less the best interpolation of the same LR, one value per case."""
    best = best_interpolation(scores, region)
    return values(scores, f'{metric}{region}_network') - values(scores, f'{metric}{region}_{best}')


def save_results(path, results):
    """Write all scores of all runs as CSV, in full precision: one row per run and case."""
    with replacing(path) as temporary, open(temporary, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        columns = list(next(iter(results[0].scores.values())))
        writer.writerow(['recipe', 'lr', 'seed', 'ensemble', 'case', *columns])
        for result in results:
            for case, scores in result.scores.items():
                writer.writerow([result.recipe, result.lr, result.seed, int(result.ensemble), case,
                                 *(scores[column] for column in columns)])
