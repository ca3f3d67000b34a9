"""What a model file knows of how far errors reach in its predicted deviations, and when that holds."""
import shlex
from typing import NamedTuple

import numpy

from util.inference.model_file import CALIBRATION, put_told, read_told
from util.inference.pretrained import is_published
from util.scores.intervals import ENDS, PERCENTS
from util.script import UserError, note


class Calibration(NamedTuple):
    """How wide intervals are that hold their share of the head's voxels, and of what that was learned."""
    factors: dict       # level in percent -> what the deviation is multiplied by, for half an interval's width
    guaranteed: dict    # level in percent -> the factor of the guarantee, or None where there is none
    subjects: int       # that it was learned from
    ensemble: bool      # whether each was the mean over its mirrorings
    samples: int | None = None  # draws of the network's weights; None: the weights as they are

    @classmethod
    def of(cls, fit, ensemble, samples=None):
        """That of a `util.scores.intervals.Fit`, of a network run so."""
        guaranteed = [float(q) if numpy.isfinite(q) else None for q in fit.guaranteed]
        return cls(_levels(fit.factors.tolist()), _levels(guaranteed), len(fit.coverage), ensemble, samples)


def save_calibration(path, calibration):
    """Put a calibration into a model file, in the place of one that it has.

    Raises:
        UserError: If the file cannot be read.
    """
    put_told(path, CALIBRATION, {**calibration._asdict(), 'factors': list(calibration.factors.values()),
                                 'guaranteed': list(calibration.guaranteed.values())})


def read_calibration(path):
    """The calibration in a model file; None where it has none.

    Raises:
        UserError: If the file cannot be read, or its calibration is none.
    """
    def parse(told):
        calibration = Calibration(**{**told, 'factors': _levels(told['factors']),
                                     'guaranteed': _levels(told['guaranteed'])})
        factors, guaranteed = list(calibration.factors.values()), calibration.guaranteed.values()
        _check(all(map(_is_factor, factors)) and sorted(factors) == factors, 'factors')
        _check(all(q is None or _is_factor(q) for q in guaranteed), 'guaranteed')
        _check(_is_count(calibration.subjects), 'subjects')
        _check(isinstance(calibration.ensemble, bool), 'ensemble')
        _check(calibration.samples is None or _is_count(calibration.samples), 'samples')
        return calibration

    return read_told(path, CALIBRATION, parse, f'; calibrate it anew with: {command(path)}')


def choose_calibration(path, wanted, ensemble, samples=None):
    """The calibration of a model file, if it holds for a network that is run so.

    Args:
        path (Path): The model file.
        wanted (bool): Whether there must be one.
        ensemble (bool): As of :class:`Calibration`, and so is `samples`: how the network is run now.

    Returns:
        Calibration: None if the model has none, or one of a network that was run otherwise, which is told in a line.

    Raises:
        UserError: If it cannot be read, or is wanted and there is none that holds.
    """
    calibration = read_calibration(path)
    if calibration is None:
        if wanted:
            raise UserError(f'{path}: not calibrated, so that its intervals are not known; if it predicts a deviation, '
                            f'calibrate it first with: {command(path, ensemble, samples)}')
        return None
    if (calibration.ensemble, calibration.samples) == (ensemble, samples):
        return calibration
    text = (f'{path}: calibrated {_run_with(calibration.ensemble, calibration.samples)}, and run '
            f'{_run_with(ensemble, samples)}; its intervals do not hold so. Calibrate it anew with: '
            f'{command(path, ensemble, samples)}')
    if wanted:
        raise UserError(text)
    note(text)
    return None


def command(path, ensemble=False, samples=None):
    """What to type to calibrate a model file."""
    options = ' '.join(['', *_options(ensemble, samples)])
    if is_published(path):
        return f'python util/miscs/calibrate.py -m COPY.npz --list LIST{options}, of a copy and of a list of your own'
    return f'python util/miscs/calibrate.py -m {shlex.quote(str(path))}{options}'


def _options(ensemble, samples):
    return ['--ensemble'] * ensemble + ([] if samples is None else [f'--samples {samples}'])


def _run_with(ensemble, samples):
    return f'with {" ".join(_options(ensemble, samples))}' if _options(ensemble, samples) else 'without options'


def _levels(values):
    if not isinstance(values, list) or len(values) != len(PERCENTS):
        raise ValueError(f'{len(PERCENTS)} levels are wanted')
    return dict(zip(PERCENTS, values))


def _check(fine, name):
    if not fine:
        raise ValueError(name)


def _is_factor(value):
    return isinstance(value, float) and 0 < value <= ENDS[-2]  # what can be fitted


def _is_count(value):
    return type(value) is int and value > 0
