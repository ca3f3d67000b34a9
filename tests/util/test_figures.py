import numpy
from matplotlib import image

from util.figures import middle_planes, save_case_figure, save_gain_figure, save_spectrum_figure
from util.phase_error import error_spectrum


def test_middle_planes_are_axial_coronal_sagittal():
    volume = numpy.arange(4 * 6 * 8).reshape(4, 6, 8)
    for plane, expected in zip(middle_planes(volume), (volume[2], volume[:, 3], volume[:, :, 4])):
        numpy.testing.assert_array_equal(plane, expected)


def save(path, sr, hr, linear):
    save_case_figure(path, 'case', hr[::2, ::2, ::2], linear, sr, hr, (1.0, 1.3, 1.3), (0, 0, 0))
    return image.imread(path)


def test_the_picture_shows_a_network_error_and_replaces_the_old_file(tmp_path):
    rng = numpy.random.default_rng(0)
    hr = rng.uniform(0, 90, (16, 20, 24)).astype(numpy.float32)
    linear = hr + rng.normal(0, 5, hr.shape).astype(numpy.float32)
    perfect = save(tmp_path / 'case.png', hr, hr, linear)
    wrong = save(tmp_path / 'case.png', linear, hr, linear)
    assert perfect.shape == wrong.shape
    changed = numpy.argwhere(numpy.abs(perfect - wrong).max(axis=2) > 0.05)[:, 1] / perfect.shape[1]
    # what changes are the network's picture and its error: the third and the sixth of six columns
    assert changed.min() > 0.28 and changed.max() < 0.98
    assert [path.name for path in tmp_path.iterdir()] == ['case.png']


def test_a_gain_shows_as_dots_right_of_zero(tmp_path):
    """Two pictures that differ in one gain of one recipe differ in that recipe's line alone."""
    gain = {'whole volume': numpy.array([0.5, 1.0]), 'within the head': numpy.array([0.7, 1.1])}
    pictures = []
    for value in (0.9, 0.6):
        bars = {'base': gain, 'best': {**gain, 'within the head': numpy.array([value, 1.1])}}
        save_gain_figure(tmp_path / 'gain.png', bars)
        pictures.append(image.imread(tmp_path / 'gain.png'))
    changed = numpy.argwhere(numpy.abs(pictures[0] - pictures[1]).max(axis=2) > 0.05)
    height, width = pictures[0].shape[:2]
    assert changed[:, 1].min() > width / 2 and changed[:, 0].min() > 0.4 * height  # right panel, lower line


def test_spectra_of_one_dataset_share_their_axes_and_mark_the_grid(tmp_path):
    rng = numpy.random.default_rng(0)
    spectra = {name: [error_spectrum(rng.normal(size=(16, 16, 16)), axis) for axis in range(3)]
               for name in ('network', 'linear')}
    pictures = []
    for rate in ((2, 2, 2), (4, 1, 1)):
        save_spectrum_figure(tmp_path / 'spectrum.png', 'case', spectra, rate)
        pictures.append(image.imread(tmp_path / 'spectrum.png'))
    assert pictures[0].shape == pictures[1].shape
    changed = numpy.argwhere(numpy.abs(pictures[0] - pictures[1]).max(axis=2) > 0.05)[:, 1] / pictures[0].shape[1]
    assert changed.min() < 0.34 and changed.max() > 0.9  # a line more along z, none along x
