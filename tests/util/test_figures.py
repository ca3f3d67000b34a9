import numpy
from matplotlib import image

from util.figures import middle_planes, save_case_figure


def test_middle_planes_are_axial_coronal_sagittal():
    volume = numpy.arange(4 * 6 * 8).reshape(4, 6, 8)
    for plane, expected in zip(middle_planes(volume), (volume[2], volume[:, 3], volume[:, :, 4])):
        numpy.testing.assert_array_equal(plane, expected)


def save(path, sr, hr, linear):
    save_case_figure(path, 'case', hr[::2, ::2, ::2], linear, sr, hr, (1.0, 1.3, 1.3))
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
