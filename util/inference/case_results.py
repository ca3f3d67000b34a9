"""The results of one case in a folder: its volumes and, where the truth is known, its scores and its picture."""
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from util.inference.super_resolution import super_resolve
from util.script import blaming, note
from util.volumes.intensity import like_input
from util.volumes.orientation import AS_IT_IS, inverse, lay, layout_as, unlike_training
from util.volumes.reading import read_volume
from util.volumes.writing import write_volume


def super_resolve_case(out, case, lr, net, scaling, lie=None, ensemble=False, as_input=False):
    """Super-resolve a case, laid as the training's volumes, and write its volumes.

    Args:
        out (Path): Folder of the results.
        case (~util.dataset.case_lists.Case): The case.
        lr (~util.volumes.volume.Volume): Its LR volume, float32.
        net (~chainer.Chain): As `models.network` describes it.
        scaling (str): The intensity scaling that the network was trained with.
        lie (~util.volumes.orientation.Lie): How the training's volumes lie; None: unknown.
        ensemble (bool): Take the mean over the eight mirrorings.
        as_input (bool): Write the volume in the range and type of the LR volume's file.

    Returns:
        numpy.ndarray: The HR volume that was written, (C, z, y, x).

    Raises:
        UserError: If it cannot be super-resolved or written.
    """
    # Where the HR volume is known its grid is given, and that of a reversed axis may be another one (docs/geometry.md).
    layout = layout_as(lr, lie) if lie and case.hr_path is None else AS_IT_IS
    laid = lay(lr, layout)
    for line in unlike_training(lr, layout, lie, net.sampling.rate, case.hr_path is not None):
        note(f'{case.lr_path}: {line}')
    with blaming(case.lr_path):
        mean, deviation = super_resolve(net, laid, scaling, ensemble)
    mean = lay(mean, inverse(layout))
    if as_input:
        mean = replace(mean, array=like_input(mean.array, read_volume(case.lr_path).array))
    write_volume(out / f'{case.name}.mhd', mean)
    if deviation is not None:
        write_volume(out / f'{case.name}_deviation.mhd', lay(deviation, inverse(layout)))
    return mean.array


def score_case(out, case, lr, sr, hr, sampling):
    """Score a case beside the interpolations of its LR volume, and save its picture.

    Args:
        out (Path): Folder of the results.
        case (~util.dataset.case_lists.Case): The case.
        lr, hr (~util.volumes.volume.Volume): Its volumes.
        sr (numpy.ndarray): The network's HR volume, (C, z, y, x).
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.

    Returns:
        (dict, list): method -> {metric: value}, empty where it cannot be scored; and what could not be done.
    """
    # Here, since a scan without a truth does without them: half a second, and 60 MiB of libraries.
    from util.scores.metrics import score_images
    from util.volumes.interpolation import METHODS, Upsampled
    failures = []

    def draw(*arguments):
        from util.reports.figures import save_case_figure  # this, too, goes on beside the scores

        save_case_figure(*arguments)

    def attempt(what, function, *arguments):
        """A picture or a score that cannot be had never costs the other results."""
        try:
            return function(*arguments)
        except Exception as error:
            failures.append(f'{case.name}: {what}: {type(error).__name__}: {error}')

    interpolated = {method: Upsampled(lr.array, sampling, method) for method in METHODS}
    with ThreadPoolExecutor(1) as pool:  # drawing is Python, and the scores' work goes on beside it
        picture = pool.submit(attempt, 'no picture', draw, out / f'{case.name}.png', case.name, lr.array,
                              interpolated['linear'], sr, hr.array, hr.spacing, sampling)
        scored = attempt('no scores', score_images, hr.array, {'network': sr, **interpolated})
        picture.result()
    return scored or {}, failures


def forget_scores(out, case, rows):
    """Remove the picture and the scores that tell of the volume which a new one has just replaced.

    Args:
        out (Path): Folder of the results.
        case (~util.dataset.case_lists.Case): The case with the new volume.
        rows (dict): The scores of this run; where there are some, the table is this run's.
    """
    (out / f'{case.name}.png').unlink(missing_ok=True)
    scores = out / 'scores.csv'
    if not rows and scores.is_file() and f'\n{case.name},' in scores.read_text(encoding='utf-8', errors='replace'):
        scores.unlink()
