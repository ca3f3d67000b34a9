"""The data of the whole commands: synthetic heads, made pairs by this project's own scripts, and a model file."""
import subprocess
import sys

import numpy

from benchmarks.cases import Case, make_arrays
from models.espcn3d import ESPCN3D
from util.config_files import load_config
from util.inference.model_file import save_network
from util.script import PROJECT
from util.volumes.geometry import Geometry
from util.volumes.orientation import common_lie
from util.volumes.reading import read_volume

HEADS = 3
RATE = 4
SIZE, PATCH = (192, 192, 160), 48      # HR voxels: of a head, x, y, z, as in a real scan; of a patch's side
QUICK_SIZE, QUICK_PATCH = (32, 32, 32), 16
ITERATIONS, QUICK_ITERATIONS = 60, 3


def _run(script, *arguments):
    subprocess.run([sys.executable, PROJECT / script, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make(folder, quick):
    """Make the heads, their pairs, lists, an experiment and a model file.

    The recipe is configs/x4_best.yml, without mirrored patches, with patches from anywhere and a constant alpha: what a
    plain training loop does as well. The model's weights are random; they add a little to the linear interpolation.

    Args:
        folder (pathlib.Path): Where to make ``raw`` (.nii.gz in a BIDS tree), ``interim``, ``processed/LR`` and ``HR``,
            ``training_list.txt`` and ``val_list.txt`` (a case each), ``test_list.txt`` (all cases), ``experiment.yml``
            and ``model.npz``.
        quick (bool): Make tiny heads.

    Returns:
        dict: ``volume``, a Case of one LR volume; ``training``, a Case of one iteration; ``iterations``.
    """
    size, patch, iterations = (QUICK_SIZE, QUICK_PATCH, QUICK_ITERATIONS) if quick else (SIZE, PATCH, ITERATIONS)
    _run('util/miscs/make_phantoms.py', '-o', folder / 'raw', '--subjects', HEADS, '--size', *size)
    _run('util/miscs/clean_data.py', '-i', folder / 'raw', '-o', folder / 'interim')
    _run('util/miscs/make_lr_img.py', '-c', PROJECT / 'configs/x4_best.yml', '-i', folder / 'interim', '-o',
         folder / 'processed')

    lines = [f'{folder}/processed/LR/{number:04d}.mhd {folder}/processed/HR/{number:04d}.mhd\n'
             for number in range(HEADS)]
    for name, cases in (('training', lines[:1]), ('val', lines[1:2]), ('test', lines)):
        (folder / f'{name}_list.txt').write_text(''.join(cases))
    changed = {'flip': 'none', 'flip_until': 'null', 'background_share': 'null', 'schedule': 'constant',
               'patchside': patch, 'iteration': iterations, 'iteration_decay_start': iterations,
               **{f'{key}_interval': iterations for key in ('display', 'evaluation', 'snapshot')},
               **{f'dataset.{name}_list': f'{name}_list.txt' for name in ('training', 'val', 'test')}}
    config = load_config(PROJECT / 'configs/x4_best.yml', [f'{key}={value}' for key, value in changed.items()])
    # A training that shares a case with the test list is refused; its test list is one that is not there.
    (folder / 'experiment.yml').write_text(config.to_yaml().replace('test_list.txt', 'no_test_list.txt'))

    net = ESPCN3D(config.sampling, **config.models.generator.args)
    *_, weights = make_arrays(Case('volume', 1, (1, 1, 1), RATE))
    for conv, (W, b), share in zip((net.conv1, net.conv2, net.conv3), weights, (1, 1, 0.01)):
        conv.W.array[...], conv.b.array[...] = numpy.float32(share) * W, b
    lr = read_volume(folder / 'processed/LR/0000.mhd')
    lie = common_lie([Geometry(lr.spacing, lr.origin, lr.direction)])
    save_network(folder / 'model.npz', net, config.to_yaml(), lie)
    return {'volume': Case('volume', 1, lr.size, RATE),
            'training': Case('training', config.batchsize, (patch // RATE,) * 3, RATE), 'iterations': iterations}
