"""A disk that fills up ends a script in one line; what was written before is whole, and the run goes on afterwards."""
import subprocess
import sys

import numpy
import pytest

from tests.experiment import assert_refused, call, make_experiment
from util.volumes.reading import read_volume

SETTINGS = ('iteration=40', 'snapshot_interval=1', 'snapshots_kept=null', 'evaluation_interval=10')
ARGUMENTS = ('-c', 'experiment.yml', '-R', '.', *(word for change in SETTINGS for word in ('--set', change)))


@pytest.fixture
def small_disk(tmp_path):
    """A folder with room for a few megabytes, and a function that makes more."""
    disk = tmp_path / 'disk'
    disk.mkdir()

    def mount(*options):
        return subprocess.run(['mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', str(disk)],
                              capture_output=True, text=True)

    if not sys.platform.startswith('linux') or mount('size=20m').returncode:
        pytest.skip('a small disk cannot be mounted here')
    yield disk, lambda: mount('remount', 'size=400m')
    subprocess.run(['umount', str(disk)], check=True)


@pytest.mark.slow
def test_a_training_on_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(tmp_path, small_disk):
    disk, make_room = small_disk
    make_experiment(tmp_path)
    assert call(tmp_path, 'training.py', *ARGUMENTS, '-o', 'whole').returncode == 0
    done = call(tmp_path, 'training.py', *ARGUMENTS, '-o', 'disk/run')
    assert done.returncode == 2 and 'No space left on device' in done.stderr and 'Traceback' not in done.stderr
    kept = [*(disk / 'run').glob('*.npz')]
    assert len(kept) > 4
    for path in kept:
        with numpy.load(path) as archive:  # zip's own checksums
            assert all(archive[name] is not None for name in archive.files)
    make_room()
    done = call(tmp_path, 'training.py', *ARGUMENTS, '-o', 'disk/run', '--resume')
    assert done.returncode == 0, done.stderr
    with numpy.load(tmp_path / 'whole/gen_iter_40.npz') as one, numpy.load(disk / 'run/gen_iter_40.npz') as other:
        for name in one.files:
            numpy.testing.assert_array_equal(one[name], other[name])
    assert not [path for path in (disk / 'run').iterdir() if path.name.startswith('.') and path.name != '.lock']


@pytest.mark.slow
def test_an_inference_on_a_full_disk_keeps_the_volumes_of_before(tmp_path, small_disk):
    disk, _ = small_disk
    make_experiment(tmp_path)
    assert call(tmp_path, 'training.py', *ARGUMENTS[:4], '-o', 'whole').returncode == 0
    arguments = ('-m', 'whole/gen_iter_6.npz', '-R', '.', '-o', 'disk/out')
    assert call(tmp_path, 'inference.py', *arguments).returncode == 0
    before = read_volume(disk / 'out/0001.mhd').array
    scores = (disk / 'out/scores.csv').read_bytes()
    (disk / 'filler').write_bytes(bytes(20 * 2**20 - sum(
        path.stat().st_size + 4096 for path in (disk / 'out').iterdir()) - 20000))
    assert_refused(call(tmp_path, 'inference.py', *arguments), 'disk/out/0001.mhd')
    numpy.testing.assert_array_equal(read_volume(disk / 'out/0001.mhd').array, before)
    assert (disk / 'out/scores.csv').read_bytes() == scores
