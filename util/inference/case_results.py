"""The results of one case in a folder: its volumes and, where the truth is known, its scores and its picture."""
import contextlib
import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from util.inference import sidecars
from util.inference.data_consistency import make_consistent
from util.inference.maps import KINDS, MAPS, check_replaced, is_signed
from util.inference.super_resolution import SuperResolved, moved, parts_of, super_resolve
from util.script import UserError, blaming, note
from util.volumes.intensity import like_input
from util.volumes.looks import unlike
from util.volumes.orientation import AS_IT_IS, Lie, inverse, lay, layout_as, unlike_training
from util.volumes.reading import form_codes, read_volume
from util.volumes.single_files import Label
from util.volumes.writing import remove_volume, write_volume


MOST_LEFT = 0.01  # of a scan, that the result of --consistent may disagree by and nothing is said


class Manner(NamedTuple):
    """How a model is used, for all cases alike."""
    scaling: str                   # the intensity scaling that the network was trained with
    lie: Lie | None = None         # how the training's volumes lie; None: unknown
    looks: dict | None = None      # what they look like (`util.volumes.looks`); None: unknown
    ensemble: bool = False         # take the mean over the eight mirrorings
    samples: int | None = None     # how many networks to draw (`util.inference.super_resolution`); None: none
    consistent: object = None      # the ~util.config.Degradation of LR that the result is to agree with; None: none
    as_input: bool = False         # write the volume in the range and type of the LR volume's file
    factors: dict | None = None    # of a calibrated network (`util.inference.calibration`); None: it is not
    interval: int | None = None    # level, in percent, of the intervals to write; None: none
    origin: str = ''               # what the volumes' headers say of where they come from


def super_resolve_case(out, case, lr, net, manner, sampling, told=None, parts=parts_of):
    """Super-resolve a case, laid as the training's volumes, and write its volumes.

    Args:
        out (Path): Folder of the results.
        case (~util.dataset.case_lists.Case): The case.
        lr (~util.volumes.volume.Volume): Its LR volume, float32.
        net (~chainer.Chain): As `models.network` describes it.
        manner (Manner): How.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among the HR voxels that are wanted: the
            network's, or of a pair that its HR volume has.
        told (dict): Of a result in a BIDS derivative, what the JSON file beside each volume says; None: there is none.
        parts (callable): As of `util.inference.super_resolution.super_resolve`.

    Returns:
        (~util.inference.super_resolution.SuperResolved, str or None): The volumes that were written; and what the scan
        differs by from those of the training, where that is more than scans of one kind do.

    Raises:
        UserError: If it cannot be super-resolved or written.
    """
    check_replaced(out, case)
    # Where the HR volume is known its grid is given, and that of a reversed axis may be another one (docs/geometry.md).
    layout = layout_as(lr, manner.lie, net.sampling.rate) if case.hr_path is None else AS_IT_IS
    laid = lay(lr, layout)
    for line in unlike_training(lr, layout, manner.lie, net.sampling.rate, case.hr_path is not None):
        note(f'{case.lr_path}: {line}')
    with blaming(case.lr_path):
        sr = super_resolve(net, laid, manner.scaling, manner.ensemble, manner.samples, parts)
    if manner.consistent:
        left = make_consistent(sr.mean.array, laid.array, net.sampling, manner.consistent)
        if left > MOST_LEFT:
            note(f'{case.lr_path}: the result disagrees with it by {100 * left:.1f} % (root mean square), in waves '
                 f'that {manner.consistent.name} of these settings hardly passes; they are the network\'s')
    if manner.interval is not None and sr.deviation is None:
        raise UserError(f'{case.lr_path}: there are no intervals, since this network predicts no deviation; leave '
                        '--interval out')
    sr = SuperResolved(*(volume and lay(volume, inverse(layout)) for volume in sr))
    sr = moved(sr, case, lr, net.sampling, sampling)
    if manner.as_input:
        sr = sr._replace(mean=replace(sr.mean, array=like_input(sr.mean.array, read_volume(case.lr_path).array)))
    label = Label(manner.origin, form_codes(case.lr_path) if case.suffix in ('.nii', '.nii.gz') else (1, 1))
    if told:
        sidecars.forget(out, case)  # a kill leaves no volume beside what is said of another one
    write_volume(out / case.file(), sr.mean, label)
    for kind in KINDS:
        remove_volume(out / case.file(kind))  # at once: it would be taken for a map of this volume, and so after a kill
    maps = {name: getattr(sr, name) for name in MAPS}
    maps['interval'] = manner.interval and replace(
        sr.deviation, array=sr.deviation.array * manner.factors[manner.interval])
    for name, volume in maps.items():
        if volume:
            write_volume(out / case.file(name), volume, label)
    if told:
        sidecars.write(out, case, told, [name for name, volume in maps.items() if volume])
    score, words = unlike(laid.array, manner.looks) if manner.looks else (0, '')
    return sr, f'{words} (score {score:.2f}; 1 is the most that is likely)' if score > 1 else None


def score_case(out, case, lr, sr, hr, sampling, factors=None):
    """Score a case beside the interpolations of its LR volume, and what deviation is predicted; save its pictures.

    Args:
        out (Path): Folder of the results.
        case (~util.dataset.case_lists.Case): The case.
        lr, hr (~util.volumes.volume.Volume): Its volumes.
        sr (~util.inference.super_resolution.SuperResolved): What the network made of it.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        factors (dict): Of a calibrated network (`util.inference.calibration`); None: it is not.

    Returns:
        (dict, dict, list): method -> {metric: value}; metric -> value of the predicted deviation
        (`util.scores.uncertainty`); each empty where it cannot be scored, the second where there is no deviation. And
        what could not be done.
    """
    # Here, since a scan without a truth does without them: half a second, and 60 MiB of libraries.
    from util.scores.metrics import channel_scores, mean_of_channels
    from util.volumes.head_mask import head_mask
    from util.volumes.interpolation import METHODS, Upsampled
    failures = {}
    mean, deviation = sr.mean.array, sr.deviation and sr.deviation.array

    def draw_case():
        from util.reports.figures import save_case_figure  # this, too, goes on beside the scores

        save_case_figure(out / f'{case.name}.png', case.name, lr.array, Upsampled(lr.array, sampling, 'linear'), mean,
                         hr.array, hr.spacing, sampling,
                         [(name, volume.array) for name, volume in zip(MAPS, sr[1:]) if volume is not None])

    def draw_uncertainty(curves):
        from util.reports.uncertainty_figures import save_uncertainty_figure

        save_uncertainty_figure(out / f'{case.name}_uncertainty.png', f'{case.name}, within the head', curves)

    def score_uncertainty(head):
        from util.reports.uncertainty_table import save_csv
        from util.scores.intervals import calibrated_coverage
        from util.scores.uncertainty import channel_uncertainty, mean_of_uncertainty

        channels, curves = channel_uncertainty(hr.array, mean, deviation, head)
        pool.submit(attempt, 'no picture of the uncertainty', draw_uncertainty, curves)
        save_channels('uncertainty_channels', channels, save_csv)
        values = mean_of_uncertainty(channels)
        if factors:
            values |= calibrated_coverage(hr.array, mean, deviation, head, factors)
        return values

    def save_channels(what, channels, save_csv):
        """A table of its own for the channels: a case's row of the other tables is their mean."""
        if len(channels) > 1:
            save_csv(out / f'{case.name}_{what}.csv', {f'channel {number}': scored
                                                       for number, scored in enumerate(channels, 1)})

    def attempt(what, function, *arguments):
        """A picture or a score that cannot be had never costs the other results."""
        try:
            return function(*arguments)
        except Exception as error:
            failures[what] = f'{case.name}: {what}: {type(error).__name__}: {error}'

    def score_images(head):
        from util.reports.score_table import save_csv

        channels = channel_scores(hr.array, {'network': mean, **{method: Upsampled(lr.array, sampling, method)
                                                                 for method in METHODS}}, head)
        save_channels('channels', channels, save_csv)
        return mean_of_channels(channels)

    with ThreadPoolExecutor(1) as pool:  # drawing is Python, and the scores' work goes on beside it
        attempt('no picture', pool.submit, attempt, 'no picture', draw_case)
        scored = uncertainty = None
        head = attempt('no scores', head_mask, hr.array)
        if head is not None:
            if deviation is not None:
                uncertainty = attempt('no scores of the uncertainty', score_uncertainty, head)
            scored = attempt('no scores', score_images, head)
    return scored or {}, uncertainty or {}, [failures[what] for what in sorted(failures)]


def forget_scores(out, case):
    """Remove the pictures and the scores that tell of the volume which a new one has just replaced: a .mhd.

    A file of such a name that is not known to be this program's stays.

    Args:
        out (Path): Folder of the results.
        case (~util.dataset.case_lists.Case): The case with the new volume, which this run has not scored yet.
    """
    if case.suffix != '.mhd':
        return
    scored = False
    for name in ('scores.csv', 'uncertainty.csv'):
        table = out / name
        with contextlib.suppress(FileNotFoundError):  # another process may have removed it meanwhile
            if table.is_file() and _tells_of(table, case.name):
                scored = True
                table.unlink()
                (out / 'report.html').unlink(missing_ok=True)  # which shows these scores
    for end in ('.png', '_uncertainty.png', '_channels.csv', '_uncertainty_channels.csv'):
        path = out / f'{case.name}{end}'
        if scored or path.is_file() and _is_ours(path):
            path.unlink(missing_ok=True)


def _tells_of(table, name):
    """Whether a table of scores has a row of a case; what is no table has none."""
    with open(table, encoding='utf-8', errors='replace', newline='') as file:
        rows = csv.reader(file)
        try:
            next(rows, None)  # the names of the columns
            return any(row[:1] == [name] for row in rows)
        except csv.Error:
            return False


def _is_ours(path):
    """Whether a picture is signed, or a table is headed as those of scores."""
    return is_signed(path) if path.suffix == '.png' else path.read_bytes().startswith(b'case,')
