"""The errors of inferred cases, beside their scores: where they lie, and whether they make a checkerboard."""
import numpy

from util.dataset.pairs import read_pair
from util.reports.figures import save_spectrum_figure
from util.reports.score_table import columns_of, is_current, read_csv, save_csv
from util.scores.error_regions import ERROR_REGIONS, error_regions, region_errors
from util.scores.phase_error import error_spectra, grid_peak, pattern_share, phase_errors
from util.volumes.head_mask import head_mask
from util.volumes.interpolation import METHODS, upsample
from util.volumes.reading import read_volume

MEASURES = ('pattern', 'worst_phase', 'grid_peak', *(f'mse_{region}' for region in ERROR_REGIONS))


def analyse_errors(folder, cases, config):
    """Measure the errors of an inference's cases, unless that is done, and draw their spectra.

    Writes ``errors.csv`` and, per case, ``NAME_spectrum.png`` into the folder.

    Args:
        folder (Path): Results of inference.py.
        cases (list of ~util.dataset.case_lists.Case): Each with an HR volume.
        config (~util.config.Config): The experiment.

    Returns:
        dict: case -> ``{'pattern_network': ...}``: for the network and each interpolation ``pattern``, the
        `pattern_share` of `util.scores.phase_error` in the head, ``worst_phase``, the largest mean squared error of a
        phase in the head over their mean, its ``grid_peak``, and ``mse_head``, ``mse_rim`` and ``mse_air``, the
        `region_errors` of `util.scores.error_regions`.
    """
    path, names = folder / 'errors.csv', [case.name for case in cases]
    sources = [volume for case in cases for volume in (folder / f'{case.name}.mhd', case.lr_path, case.hr_path)]
    if not is_current(path, columns_of(MEASURES, ('network', *METHODS)), names, sources):
        save_csv(path, {case.name: _measure(folder, case, config) for case in cases})
    return read_csv(path)


def _measure(folder, case, config):
    lr, hr = read_pair(case, config)
    head = head_mask(hr.array)
    regions = error_regions(head)
    images = {'network': read_volume(folder / f'{case.name}.mhd', numpy.float32).array}
    images |= {method: upsample(lr.array, config.sampling, method) for method in METHODS}
    result, spectra = {}, {}
    for method, image in images.items():
        error = image - hr.array
        mean, square = phase_errors(error, config.upsampling_rate, head)
        along_axes = error_spectra(error)
        result[method] = {'pattern': pattern_share(mean, square), 'worst_phase': float(square.max() / square.mean()),
                          'grid_peak': grid_peak(along_axes, config.upsampling_rate),
                          **{f'mse_{region}': value for region, value in region_errors(error, regions).items()}}
        if method != 'nearest':
            spectra[method] = along_axes
    save_spectrum_figure(folder / f'{case.name}_spectrum.png', f'{case.name}: spectrum of the error', spectra,
                         config.upsampling_rate)
    return result
