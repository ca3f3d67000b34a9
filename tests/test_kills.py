"""A training that is killed again and again ends as one that nobody disturbs."""
import json
import random
import subprocess
import sys
import time

import numpy
import pytest

from tests.experiment import call, command, make_experiment

KILLS = 20
SETTINGS = ('iteration=900', 'iteration_decay_start=100', 'display_interval=10', 'evaluation_interval=20',
            'snapshot_interval=7', 'intensity_scaling=percentile', 'flip=per_axis', 'background_share=0.1',
            'models.generator.args.residual=linear', 'adam.alpha=1e-3')
ARGUMENTS = ('-c', 'experiment.yml', '-R', '.', *(word for change in SETTINGS for word in ('--set', change)))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == 'win32', reason='Windows knows no SIGKILL')
def test_twenty_kills_at_random_moments_lose_nothing(tmp_path):
    """Each run goes on from the newest usable snapshot; the weights, the best model, the log and the pictures are bit
    for bit those of the undisturbed run."""
    make_experiment(tmp_path)
    start = time.perf_counter()
    assert call(tmp_path, 'training.py', *ARGUMENTS, '-o', 'whole').returncode == 0
    whole_run = time.perf_counter() - start  # on a fast machine it is over in the time that a slow one needs to start
    moments, reached = random.Random(0), []
    for _ in range(KILLS):
        with subprocess.Popen(command('training.py', *ARGUMENTS, '-o', 'killed', '--resume'), cwd=tmp_path,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(whole_run * moments.uniform(0.05, 0.35))
            process.kill()
        reached.append(max((int(path.stem.split('_')[-1]) for path in (tmp_path / 'killed').glob('snapshot_iter_*')),
                           default=0))
    assert reached == sorted(reached) and len(set(reached)) > 3  # kills came while it trained, and it never went back
    done = call(tmp_path, 'training.py', *ARGUMENTS, '-o', 'killed', '--resume')
    assert done.returncode == 0 or 'iteration 900 is the last already' in done.stderr, done.stderr

    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    for name in ('gen_iter_900.npz', 'gen_best.npz'):
        with numpy.load(whole / name) as one, numpy.load(killed / name) as other:
            for entry in one.files:
                numpy.testing.assert_array_equal(one[entry], other[entry])
    logs = [[{key: value for key, value in entry.items() if key != 'elapsed_time'}
             for entry in json.loads((folder / 'log').read_text())] for folder in (whole, killed)]
    assert logs[0] == logs[1]
    drawn = [{path.relative_to(folder): path.read_bytes() for path in (folder / 'gen_loss.png', *(
        folder / 'samples').iterdir())} for folder in (whole, killed)]
    assert drawn[0] == drawn[1] and len(drawn[0]) == 1 + 23
    assert {path.name for path in killed.iterdir()} - {path.name for path in whole.iterdir()} <= {
        f'gen_iter_{n}.npz' for n in range(900)}  # nothing half written is left
