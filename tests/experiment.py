"""A tiny experiment on disk, for the tests that run the scripts."""
import subprocess
import sys

import numpy
from scipy.ndimage import gaussian_filter

from util.script import PROJECT
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

DIRECTION = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # a rotation, so that a dropped direction shows
HR_GEOMETRY = (1.0, 1.5, 2.0), (-10.0, 20.0, 5.0), DIRECTION
LR_GEOMETRY = (2.0, 3.0, 4.0), *HR_GEOMETRY[1:]  # bspline at rate 2: the first voxel's centre stays


INFERENCE_ARGUMENTS = '-m', 'gen.npz', '-R', '.', '-o', 'out'  # of inference.py, in the same folder
TRAINING_ARGUMENTS = '-c', 'experiment.yml', '-R', '.'  # of training.py, in the folder of the experiment


def make_experiment(folder, channels=1):
    """Three LR/HR pairs at rate 2, their lists, and ``experiment.yml`` of 6 iterations, below ``folder``."""
    rng = numpy.random.default_rng(0)
    for name in ('0000', '0001', '0002'):
        hr = gaussian_filter(rng.normal(size=(channels, 24, 24, 24)), (0, 2, 2, 2)) * 400 + 50
        hr = hr.clip(0).astype(numpy.float32)
        write_volume(folder / f'HR/{name}.mhd', Volume(hr, *HR_GEOMETRY))
        write_volume(folder / f'LR/{name}.mhd', Volume(hr[:, ::2, ::2, ::2], *LR_GEOMETRY))
    for name, case in (('training', '0000'), ('val', '0002'), ('test', '0001')):
        (folder / f'{name}_list.txt').write_text(f'LR/{case}.mhd HR/{case}.mhd\n')
    text = (PROJECT / 'configs/base.yml').read_text(encoding='utf-8')
    for old, new in (('upsampling_rate: 4', 'upsampling_rate: 2'), ('patchside: 64', 'patchside: 8'), ('configs/', ''),
                     ('in_channels: 1', f'in_channels: {channels}'), ('iteration: 100000', 'iteration: 6'),
                     ('decay_start: 20000', 'decay_start: 2'), ('display_interval: 100', 'display_interval: 3'),
                     ('evaluation_interval: 1000', 'evaluation_interval: 3'),
                     ('snapshot_interval: 10000', 'snapshot_interval: 3')):
        assert old in text
        text = text.replace(old, new)
    (folder / 'experiment.yml').write_text(text)
    return folder


def change(path, old, new):
    """Replace text in a file; the old text must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def command(script, *arguments):
    """Command line of a script of the project in this interpreter."""
    return [sys.executable, str(PROJECT / script), *map(str, arguments)]


def call(folder, script, *arguments):
    """Run a script with ``folder`` as the current directory."""
    return subprocess.run(command(script, *arguments), cwd=folder, capture_output=True, text=True, timeout=120)


def assert_refused(done, words):
    """The script ended with exit code 2 and one line on stderr that holds ``words``."""
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and done.stderr.startswith('error: ')
    assert words in done.stderr


def weights(path):
    """The arrays of a model file by name."""
    with numpy.load(path) as archive:
        return {name: archive[name] for name in archive.files if '/' in name}


def assert_same_weights(one, other):
    """Two model files hold the same bits."""
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys() and one
    for name in one:
        numpy.testing.assert_array_equal(one[name], other[name])
