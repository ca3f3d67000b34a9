"""The errors of inferred cases, beside their scores: where they lie, and whether they make a checkerboard."""
import numpy

from util.cases import read_pair
from util.degradation import centre_offset
from util.error_regions import error_regions, region_errors
from util.figures import save_spectrum_figure
from util.head_mask import head_mask
from util.interpolation import METHODS, upsample
from util.phase_error import error_spectrum, grid_peak, pattern_share, phase_errors
from util.score_table import read_csv, save_csv
from util.volume import read_volume


def analyse_errors(folder, cases, config):
    """Measure the errors of an inference's cases, unless that is done, and draw their spectra.

    Writes ``errors.csv`` and, a case, ``NAME_spectrum.png`` into the folder.

    Args:
        folder (Path): Results of inference.py.
        cases: List of :class:`util.case_lists.Case`, each with an HR volume.
        config (~util.config.Config): The experiment.

    Returns:
        dict: case -> ``{'pattern_network': ...}``: for the network and each interpolation ``pattern``, the
        :func:`util.phase_error.pattern_share` in the head, ``worst_phase``, the largest mean squared error of a phase
        in the head over their mean, ``grid_peak``, :func:`util.phase_error.grid_peak`, and ``mse_head``, ``mse_rim``
        and ``mse_air``, :func:`util.error_regions.region_errors`.
    """
    path = folder / 'errors.csv'
    if not path.exists():
        save_csv(path, {case.name: _measure(folder, case, config) for case in cases})
    return read_csv(path)


def _measure(folder, case, config):
    rate = config.upsampling_rate
    lr, hr = read_pair(case, config)
    head = head_mask(hr.array)
    regions = error_regions(head)
    images = {'network': read_volume(folder / f'{case.name}.mhd', numpy.float32).array}
    images |= {method: upsample(lr.array, rate, centre_offset(config.degradation.name, rate), method)
               for method in METHODS}
    result, spectra = {}, {}
    for method, image in images.items():
        error = image - hr.array
        mean, square = phase_errors(error, rate, head)
        result[method] = {'pattern': pattern_share(mean, square), 'worst_phase': float(square.max() / square.mean()),
                          'grid_peak': grid_peak(error, rate),
                          **{f'mse_{region}': value for region, value in region_errors(error, regions).items()}}
        if method != 'nearest':
            spectra[method] = [error_spectrum(error, axis) for axis in range(3)]
    save_spectrum_figure(folder / f'{case.name}_spectrum.png', f'{case.name}: spectrum of the error', spectra, rate)
    return result
