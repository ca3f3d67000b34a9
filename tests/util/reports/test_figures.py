import subprocess
import sys

import numpy
import pytest
from matplotlib import colormaps, image

from tests.util.reports.remembered import remember_figures
from util.reports import figures
from util.reports.figures import middle_planes, save_case_figure, save_gain_figure, save_spectrum_figure
from util.scores.phase_error import error_spectra
from util.script import PROJECT
from util.volumes.sampling import Sampling

GREY = 'LR', 'linear', 'network', 'truth'
ERRORS = 'linear - truth', 'network - truth'
SPACING = 1.0, 1.3, 2.0
SAMPLING = Sampling((2, 1, 4), (0.5, 0, 1.5))


def test_middle_planes_are_axial_coronal_sagittal():
    volume = numpy.arange(4 * 6 * 8).reshape(4, 6, 8)
    for plane, expected in zip(middle_planes(volume[None]), (volume[2], volume[:, 3], volume[:, :, 4])):
        numpy.testing.assert_array_equal(plane, expected)
    numpy.testing.assert_array_equal(middle_planes(numpy.stack([volume, 2 * volume]), 1)[1], 2 * volume[:, 3])


def shown(volume, channel):
    """All voxels of a channel's middle planes."""
    return numpy.concatenate([plane.ravel() for plane in middle_planes(volume, channel)])


@pytest.fixture
def drawn(monkeypatch):
    return remember_figures(monkeypatch, figures)


class Picture:
    """The saved picture of a case, and where in it each of its small pictures is."""

    def __init__(self, path, figure, channels):
        self.pixels = image.imread(path)[..., :3]
        self.title = figure.get_suptitle()
        axes, *self.bars = figure.axes
        texts = [text.get_text() for text in axes.texts]
        titles = [text for text in texts if not text.startswith('channel')]
        numbers = [f'channel {number} of {channels}' for number in range(1, channels + 1)]
        assert [text for text in texts if text.startswith('channel')] == (numbers if channels > 1 else [])
        dots = self.pixels.shape[1] / figure.get_size_inches()[0]
        boxes = [numpy.divide(shown.get_clip_box().bounds, figure.dpi) * dots for shown in axes.images]
        columns = len(titles) // channels
        assert len(titles) == len(boxes) / 3 and columns >= 6 and channels == len(self.bars)
        # left, bottom, width and height of the three planes, in pixels
        self.boxes = {(index // columns, title): boxes[3 * index:3 * index + 3] for index, title in enumerate(titles)}

    def colours(self, key, places, shape):
        """The colours in the three planes at places along z, y, x, in HR voxels of a volume's shape from its border."""
        (z, y, x), (depth, height, width) = (places, shape[-3:])
        result = []
        for (left, bottom, across, along), (up, right), (rows, columns) in zip(
                self.boxes[key], ((y, x), (z, x), (z, y)), ((height, width), (depth, width), (depth, height))):
            right = left + right / columns * across
            up = self.pixels.shape[0] - (bottom + up / rows * along)
            result.append(self.pixels[up.astype(int)[:, None], right.astype(int)])
        return result


def make_case(sampling=SAMPLING, channels=2):
    """Volumes of a case by their argument's name; the second channel is a hundred times as bright as the first."""
    rng = numpy.random.default_rng(0)
    shape = channels, 8, 12, 16
    brightness = 100.0 ** numpy.arange(channels)[:, None, None, None]
    hr = brightness * rng.uniform(0, 90, shape)
    hr[:, 4, 0, :2] *= 5  # a few bright vessels, which set the maximum and must not set the scale
    lr = brightness * rng.uniform(0, 90, (channels, *(n // r for n, r in zip(shape[1:], sampling.rate))))
    return dict(lr=lr, linear=hr * rng.uniform(0.7, 1.3, shape), sr=hr * rng.uniform(0.8, 1.2, shape), hr=hr)


def save(folder, case, sampling=SAMPLING):
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = remember_figures(monkeypatch, figures)
        save_case_figure(folder / 'case.png', 'a case', **case, spacing=SPACING, sampling=sampling)
    assert [path.name for path in folder.iterdir()] == ['case.png']  # it replaces the old file
    return Picture(folder / 'case.png', made[0], len(case['hr']))


@pytest.fixture(scope='module')
def picture(tmp_path_factory):
    """The picture of :func:`make_case`."""
    return save(tmp_path_factory.mktemp('picture'), make_case())


def hr_centres(shape):
    return [numpy.arange(side) + 0.5 for side in shape[-3:]]


def assert_each_column_shows_its_volume(picture, case, sampling):
    """Each voxel of the PNG, near both of its ends: the volumes as grey, white being the truth's 99.5th percentile.

    LR voxel i must reach from r/2 before HR index r*i + offset to r/2 behind it: it is shifted against the blocks of
    the truth where its centre is not amid them.
    """
    channels = range(len(case['hr']))
    assert set(picture.boxes) == {(channel, title) for channel in channels for title in GREY + ERRORS}
    for title, volume in zip(GREY, case.values()):
        rates, offsets = (sampling.rate, sampling.offset) if title == 'LR' else ((1, 1, 1), (0, 0, 0))
        for end in (-1, 1):
            places = [numpy.maximum(r * numpy.arange(side) + offset + 0.5 + end * (r / 2 - 0.2), 0.2)
                      for r, offset, side in zip(rates, offsets, volume.shape[1:])]
            for channel in channels:
                white = numpy.percentile(shown(case['hr'], channel), 99.5)
                for colours, plane in zip(picture.colours((channel, title), places, case['hr'].shape),
                                          middle_planes(volume, channel)):
                    expected = numpy.clip(plane / white, 0, 1)[..., None].repeat(3, axis=-1)
                    numpy.testing.assert_allclose(colours, expected, atol=0.01)


def test_each_column_shows_what_its_title_says_in_each_channel(picture):
    assert_each_column_shows_its_volume(picture, make_case(), SAMPLING)


def test_lr_is_shown_where_its_voxels_lie_when_they_are_not_amid_their_blocks(tmp_path):
    sampling = Sampling((2, 1, 4))
    case = make_case(sampling, channels=1)
    assert_each_column_shows_its_volume(save(tmp_path, case, sampling), case, sampling)


def test_a_channel_of_negative_values_is_shown_from_black_to_white(tmp_path):
    """Such as an element of a tensor: grey goes from the truth's 0.5th percentile up to 0."""
    case = {name: -volume for name, volume in make_case(channels=1).items()}
    picture = save(tmp_path, case)
    black = numpy.percentile(shown(case['hr'], 0), 0.5)
    pictures = picture.colours((0, 'truth'), hr_centres(case['hr'].shape), case['hr'].shape)
    for colours, plane in zip(pictures, middle_planes(case['hr'])):
        expected = numpy.clip(1 - plane / black, 0, 1)[..., None].repeat(3, axis=-1)
        numpy.testing.assert_allclose(colours, expected, atol=0.01)


def test_errors_are_signed_and_share_one_colour_scale_per_channel(picture):
    """Blue is too dark, red too bright; the scale ends at the 99.5th percentile of what is shown of interpolation's."""
    case = make_case()
    for channel in range(2):
        errors = {title: case[name] - case['hr'] for title, name in zip(ERRORS, ('linear', 'sr'))}
        limit = numpy.percentile(numpy.abs(shown(errors['linear - truth'], channel)), 99.5)
        numpy.testing.assert_allclose(picture.bars[channel].get_ylim(), (-limit, limit))
        for title, error in errors.items():
            for colours, plane in zip(picture.colours((channel, title), hr_centres(error.shape), error.shape),
                                      middle_planes(error, channel)):
                expected = colormaps['RdBu_r'](plane / limit / 2 + 0.5)[..., :3]
                numpy.testing.assert_allclose(colours, expected, atol=0.02)
                red, blue = colours[..., 0], colours[..., 2]
                assert (red > blue)[plane > 0.2 * limit].all() and (blue > red)[plane < -0.2 * limit].all()


def test_deviations_are_columns_more_as_red_as_an_error_of_their_size(tmp_path, picture):
    """And leave the other columns as they are. A small part is shown as many times as large as it says."""
    case, centres = make_case(), hr_centres((8, 12, 16))
    deviation = numpy.abs(case['sr'] - case['hr']) * numpy.random.default_rng(1).uniform(0.5, 2, case['hr'].shape)
    maps = {'deviation': deviation, 'intrinsic': deviation / 2, 'parameter': deviation / 40}
    after = save(tmp_path, {**case, 'deviations': list(maps.items())})
    more = [(channel, title) for channel, title in after.boxes if (channel, title) not in picture.boxes]
    times = {(channel, name): int(title.partition(' x ')[2] or 1) for channel, title in more
             for name in [title.partition(' x ')[0]]}
    assert times.keys() == {(channel, name) for channel in range(2) for name in maps}
    assert set(after.boxes) > set(picture.boxes)
    assert times[0, 'deviation'] == times[0, 'intrinsic'] == 1 and 5 < times[0, 'parameter'] < 40
    for key in picture.boxes:
        for old, new in zip(*(one.colours(key, centres, (8, 12, 16)) for one in (picture, after))):
            numpy.testing.assert_array_equal(old, new)
    for channel, bar in enumerate(after.bars):
        limit = bar.get_ylim()[1]
        assert bar.get_ylabel() == 'error or deviation, intensity units'
        assert picture.bars[channel].get_ylim() == (-limit, limit)
        for key in more:
            name = key[1].partition(' x ')[0]
            for colours, plane in zip(after.colours(key, centres, deviation.shape), middle_planes(maps[name], key[0])):
                if key[0] == channel:
                    expected = colormaps['RdBu_r'](times[channel, name] * plane / limit / 2 + 0.5)[..., :3]
                    numpy.testing.assert_allclose(colours, expected, atol=0.02)


def test_a_volume_shows_in_its_own_columns_and_channel_alone(tmp_path, picture):
    """The changes leave the grey scale and, but for the truth's, the errors' colour scale as they are."""
    case, centres = make_case(), hr_centres((8, 12, 16))
    new = {name: volume[:, ::-1, ::-1] for name, volume in case.items()}
    new['linear'] = 2 * case['hr'] - case['linear']
    columns = {'lr': {'LR'}, 'linear': {'linear', 'linear - truth'}, 'sr': {'network', 'network - truth'},
               'hr': {'truth', *ERRORS}}
    for names in (('lr', 'linear'), ('sr', 'hr')):  # the first in channel 0, the second in channel 1
        changed = {name: volume.copy() for name, volume in case.items()}
        for channel, name in enumerate(names):
            changed[name][channel] = new[name][channel]
        after = save(tmp_path, changed)
        differ = {key for key in picture.boxes
                  if any(numpy.abs(old - now).max() > 0.05
                         for old, now in zip(*(one.colours(key, centres, (8, 12, 16)) for one in (picture, after))))}
        assert differ == {(channel, title) for channel, name in enumerate(names) for title in columns[name]}


def test_pictures_have_the_proportions_of_millimetres_and_the_figure_its_title(picture):
    sx, sy, sz = SPACING
    planes = (12 * sy, 16 * sx), (8 * sz, 16 * sx), (8 * sz, 12 * sy)
    for boxes in picture.boxes.values():
        for (_, _, width, height), (up, right) in zip(boxes, planes):
            assert height / width == pytest.approx(up / right, rel=0.02)
    assert picture.title == 'a case'


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


def test_dots_are_the_gains_of_the_cases_and_bars_their_means(tmp_path, drawn):
    bars = {'base': {'whole volume': numpy.array([0.5, 1.0]), 'within the head': numpy.array([-0.7, 1.1])},
            'best': {'whole volume': numpy.array([0.9, 1.2]), 'within the head': numpy.array([1.4, 0.2])}}
    save_gain_figure(tmp_path / 'gain.png', bars)
    panels = {axis.get_title(): axis for axis in drawn[0].axes}
    assert list(panels) == ['whole volume', 'within the head']
    names = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert names == ['base', 'best']
    for region, axis in panels.items():
        dots = {line.get_ydata()[0]: line.get_xdata() for line in axis.lines if line.get_marker() == 'o'}
        means = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in axis.patches}
        for line, name in enumerate(names):
            numpy.testing.assert_array_equal(dots[line], bars[name][region])
            assert means[line] == pytest.approx(bars[name][region].mean())


def test_spectra_of_one_dataset_share_their_axes_and_mark_the_grid(tmp_path):
    rng = numpy.random.default_rng(0)
    spectra = {name: error_spectra(rng.normal(size=(1, 16, 16, 16)))
               for name in ('network', 'linear')}
    pictures = []
    for rate in ((2, 2, 2), (4, 1, 1)):
        save_spectrum_figure(tmp_path / 'spectrum.png', 'case', spectra, rate)
        pictures.append(image.imread(tmp_path / 'spectrum.png'))
    assert pictures[0].shape == pictures[1].shape
    changed = numpy.argwhere(numpy.abs(pictures[0] - pictures[1]).max(axis=2) > 0.05)[:, 1] / pictures[0].shape[1]
    assert changed.min() < 0.34 and changed.max() > 0.9  # a line more along z, none along x


def test_lines_are_the_spectra_by_name_and_dotted_lines_the_multiples_of_the_rate(tmp_path, drawn):
    rng = numpy.random.default_rng(0)
    spectra = {name: error_spectra(rng.normal(size=(1, 12, 16, 20)))
               for name in ('network', 'linear')}
    save_spectrum_figure(tmp_path / 'spectrum.png', 'case', spectra, (4, 1, 2))
    for index, (axis, marks) in enumerate(zip(drawn[0].axes, ([0.25, 0.5], [], [0.5]))):
        assert f'frequency along {"zyx"[index]} [cycles per voxel]' == axis.get_xlabel()
        assert [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ':'] == marks
        lines = {line.get_label(): line for line in axis.lines if line.get_label() in spectra}
        assert list(lines) == list(spectra)
        for name, line in lines.items():  # the mean error, at frequency 0, is no pattern
            numpy.testing.assert_array_equal(line.get_xydata().T, [values[1:] for values in spectra[name][index]])


def test_a_name_with_dollar_signs_is_shown_as_it_is(tmp_path, drawn):
    """And ends nothing where it would be no formula."""
    name, spectra = 'a$_$', {'network': error_spectra(numpy.random.default_rng(0).normal(size=(1, 4, 4, 4)))}
    save_case_figure(tmp_path / 'case.png', name, **make_case(), spacing=SPACING, sampling=SAMPLING)
    save_gain_figure(tmp_path / 'gain.png', {name: {'head': numpy.ones(2)}})
    save_spectrum_figure(tmp_path / 'spectrum.png', name, spectra, (2, 2, 2))
    case, gain, spectrum = drawn
    assert case.get_suptitle() == spectrum.get_suptitle() == name
    assert [label.get_text() for label in gain.axes[0].get_yticklabels()] == [name]


def test_neither_pyplot_nor_the_backend_nor_an_open_figure_is_touched(tmp_path):
    """In a fresh interpreter, since pytest's may have pyplot by other ways."""
    code = ('import sys, numpy\n'
            'from util.reports.figures import save_case_figure, save_gain_figure, save_spectrum_figure\n'
            'from util.reports.uncertainty_figures import save_uncertainty_figure\n'
            'from util.scores.uncertainty import Curves\n'
            'from util.volumes.sampling import Sampling\n'
            'def save():\n'
            '    a = numpy.random.default_rng(0).random((1, 4, 4, 4))\n'
            '    save_case_figure("case.png", "", a[:, ::2, ::2, ::2], a, 2 * a, 3 * a, (1, 1, 1), Sampling(2))\n'
            '    save_gain_figure("gain.png", {"base": {"head": numpy.ones(2)}})\n'
            '    save_spectrum_figure("spectrum.png", "", {"linear": [(numpy.ones(3),) * 2] * 3}, (2, 2, 2))\n'
            '    curves = Curves(*map(numpy.ones, (19, 20, 20, 96, 96)))\n'
            '    save_uncertainty_figure("uncertainty.png", "", [curves])\n'
            'save()\n'
            'assert "matplotlib.pyplot" not in sys.modules\n'
            'import matplotlib\n'
            'import matplotlib.pyplot as plt\n'
            'matplotlib.use("svg")\n'
            'number = plt.figure().number\n'
            'save_gain_figure("gain.png", {"base": {"head": numpy.ones(2)}})\n'
            'assert plt.get_fignums() == [number] and matplotlib.get_backend() == "svg"\n')
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, env={'PYTHONPATH': str(PROJECT)},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ['case.png', 'gain.png', 'spectrum.png',
                                                                'uncertainty.png']
