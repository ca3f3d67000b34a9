"""How much memory a scan takes is bounded by the scan."""
import subprocess
import sys

import numpy
import pytest
from scipy.ndimage import gaussian_filter

from models.espcn3d import ESPCN3D
from tests.experiment import command
from tests.mpi import launcher
from util.config_files import load_config
from util.inference.model_file import save_network
from util.script import PROJECT
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

SIZE = (192, 256, 256)  # HR voxels: 48 MiB as float32
HR_MIB = 4 * numpy.prod(SIZE) / 2**20
FIXED_MIB = 400  # Python and its libraries, and the network's tile


def make_experiment(folder, rate):
    """A large pair at a rate, (z, y, x), and a model, in a folder."""
    small = gaussian_filter(numpy.random.default_rng(0).normal(size=[side // 8 for side in SIZE]), 1) * 400 + 50
    hr = small.clip(0).repeat(8, 0).repeat(8, 1).repeat(8, 2).astype(numpy.float32)[None]
    place = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    write_volume(folder / 'HR/0000.mhd', Volume(hr, (1.0, 1.0, 1.0), *place))
    lr = hr[:, ::rate[0], ::rate[1], ::rate[2]]
    write_volume(folder / 'LR/0000.mhd', Volume(lr, tuple(map(float, rate[::-1])), *place))
    (folder / 'list.txt').write_text('LR/0000.mhd HR/0000.mhd\n')
    (folder / 'e.yml').write_text(f'extends: {PROJECT}/configs/x4_best.yml\nupsampling_rate: {list(rate)}\n'
                                  'dataset: {training_list: list.txt, val_list: list.txt, test_list: list.txt}\n')
    config = load_config(folder / 'e.yml')
    save_network(folder / 'gen.npz', ESPCN3D(config.sampling, residual='linear'), config.to_yaml())
    return folder


@pytest.fixture(scope='module')
def experiment(tmp_path_factory):
    return make_experiment(tmp_path_factory.mktemp('memory'), (4, 4, 4))


def peak_mib(folder, *arguments, launched_by=()):
    """The peak memory of inference.py; of several ranks, that of the one with most."""
    code = ('import resource, subprocess, sys\n'
            'code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n'
            'print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)')
    words = *launched_by, *command('inference.py', '-m', 'gen.npz', '-R', '.', '-o', 'out', *arguments)
    done = subprocess.run([sys.executable, '-c', code, *words], cwd=folder, capture_output=True, text=True)
    exit_code, kib = map(int, done.stdout.split())
    assert exit_code == 0, done.stderr
    return kib / 2**10


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='peak memory is in KiB on Linux alone')
@pytest.mark.parametrize('volumes, arguments', [
    (2, ('-i', 'LR/0000.mhd')), (2, ('-i', 'LR/0000.mhd', '--ensemble', '--like-input', '--consistent', 'kspace')),
    (6, ()), (6, ('--ensemble', '--like-input'))])
def test_peak_memory_is_bounded_by_the_hr_volume(experiment, volumes, arguments):
    """Twice the float32 HR volume without scores and six times with them, beside what is always there."""
    assert peak_mib(experiment, *arguments) <= volumes * HR_MIB + FIXED_MIB


@pytest.mark.mpi
@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='peak memory is in KiB on Linux alone')
def test_a_rank_whose_tiles_others_compute_takes_no_more(experiment):
    assert peak_mib(experiment, '-i', 'LR/0000.mhd', launched_by=launcher(2)) <= 2 * HR_MIB + FIXED_MIB


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='peak memory is in KiB on Linux alone')
def test_scores_take_no_more_memory_where_an_axis_is_not_upsampled(tmp_path):
    """An LR volume then has as many slices as HR, and each interpolation's share of the work is another one."""
    assert peak_mib(make_experiment(tmp_path, (1, 2, 2))) <= 6 * HR_MIB + FIXED_MIB
