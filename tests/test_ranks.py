"""A script under mpiexec does what one process does, and ends as a whole. Each test starts processes of its own."""
import json
import signal
import time
from dataclasses import replace

import pytest

from tests.experiment import INFERENCE_ARGUMENTS, TRAINING_ARGUMENTS, assert_same_weights, change, weights
from tests.mpi import assert_close_runs, start, start_harmed
from tests.soak import soak
from tests.test_inference import make_unsure, prepare
from tests.test_inference_jobs import contents
from tests.test_training import take_recipe
from util.config_files import load_config
from util.inference import tiling
from util.inference.model_file import save_network
from util.inference.network import build_network
from util.reports.score_table import read_csv
from util.volumes.reading import read_volume
from util.volumes.writing import write_volume

pytestmark = [pytest.mark.mpi, pytest.mark.slow]
WAIT = 30  # seconds within which an error ends all ranks

# Networks of which a volume is several tiles, and which keep count of those that each rank computes.
IN_TILES = '''
import util.mpiexec
from models.bayesian_espcn3d import BayesianESPCN3D
from models.espcn3d import ESPCN3D
from util.inference import tiling

tiling.MEMORY = 1
calls = 0


def count():
    global calls
    calls += 1
    with open(f'tiles_of_{util.mpiexec._launched()}', 'a') as file:
        file.write('.')


class Plain(ESPCN3D):
    def forward(self, x):
        count()
        return super().forward(x)


class Bayesian(BayesianESPCN3D):
    def predictive(self, x, generators):
        count()
        return super().predictive(x, generators)
'''


def train_on(experiment, ranks, *arguments, out='ranks'):
    process = start(experiment, ranks, 'training.py', *TRAINING_ARGUMENTS, '-o', out, *arguments)
    stdout, stderr = process.communicate(timeout=120)
    return process.returncode, stdout, stderr


def infer_on(folder, ranks, *arguments, out='ranks'):
    process = start(folder, ranks, 'inference.py', *INFERENCE_ARGUMENTS, '-o', out, *arguments)
    stdout, stderr = process.communicate(timeout=WAIT)
    return process.returncode, stdout, stderr


def numbers(folder):
    keys = 'iteration', 'main/loss', 'val/loss', 'val/psnr', 'val/psnr_linear', 'alpha'
    return [[line[key] for key in keys] for line in json.loads((folder / 'log').read_text())]


def test_two_and_four_ranks_train_the_network_of_one_process_and_print_what_it_prints(experiment, train):
    """Batches of 5: shares of 2 and 3, of which each example must count the same; of 1, 1, 1 and 2."""
    for kind in ('LR', 'HR'):
        volume = read_volume(experiment / f'{kind}/0001.mhd')
        write_volume(experiment / f'{kind}/0003.mhd', replace(volume, array=volume.array ** 0.5))
    (experiment / 'val_list.txt').write_text('LR/0002.mhd HR/0002.mhd\nLR/0003.mhd HR/0003.mhd\n')
    one = train(out='one')
    assert one.returncode == 0, one.stderr
    for ranks in (2, 4):
        out = f'of_{ranks}'
        code, stdout, stderr = train_on(experiment, ranks, out=out)
        assert code == 0 and stderr == '', stderr
        assert stdout.count('main/loss') == 1 and f'model: {out}/gen_iter_6.npz' in stdout
        assert {path.name for path in (experiment / out).iterdir()} == {
            path.name for path in (experiment / 'one').iterdir()}
        for iteration in (3, 6):
            assert_close_runs(experiment / 'one', experiment / out, iteration)
        for line, expected in zip(numbers(experiment / out), numbers(experiment / 'one'), strict=True):
            assert line == pytest.approx(expected, rel=1e-5)


def test_another_batch_is_told_apart(experiment, train):
    """What the comparison of the test above would say of a share that is left out: as other patches do."""
    assert train(out='one').returncode == 0 and train('--set', 'seed=1', '-m', 'one/gen_iter_3.npz').returncode == 0
    with pytest.raises(AssertionError):
        assert_close_runs(experiment / 'one', experiment / 'run', 3)


def test_uncertain_weights_see_the_noise_of_the_whole_batch(experiment, train):
    take_recipe(experiment, 'x4_bayesian')
    assert train(out='one').returncode == 0
    code, _, stderr = train_on(experiment, 2)
    assert code == 0, stderr
    assert_close_runs(experiment / 'one', experiment / 'ranks', 3)
    for line, expected in zip(numbers(experiment / 'ranks'), numbers(experiment / 'one'), strict=True):
        assert line == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('harm, code, words', [
    ("fail(RuntimeError('harm'))", 1, 'RuntimeError: harm'),
    ("fail(MemoryError('harm'))", 2, 'error: not enough memory: harm'),
    ("fail(util.script.UserError('harm'))", 2, 'error: rank 1 on '),
    ("loss * float('nan')", 2, 'error: the loss is nan at iteration 6'),
    ('os.kill(os.getpid(), 9)', 9, 'KILLED|Killed')])
def test_a_rank_that_comes_to_harm_ends_all_and_the_run_goes_on_from_before(experiment, train, harm, code, words):
    """On one process more or less, and to the same network as without the harm."""
    process = start_harmed(experiment, 2, 1, 4, harm, 'training.py', *TRAINING_ARGUMENTS, '-o', 'run')
    stdout, stderr = process.communicate(timeout=WAIT)
    said = stderr + stdout  # the launcher tells a kill on standard output
    assert process.returncode == code, said
    assert sum(said.count(word) for word in words.split('|')) == 1, said
    assert said.count('Traceback') == (code == 1) and [path.name for path in (experiment / 'run').glob('snapshot*')
                                                       ] == ['snapshot_iter_3.npz']
    if code == 9:
        assert train(out='whole').returncode == 0
        assert train('--resume').returncode == 0
        assert_close_runs(experiment / 'run', experiment / 'whole', 6)
        (experiment / 'run/snapshot_iter_6.npz').unlink()
        code, _, stderr = train_on(experiment, 3, '--resume', out='run')
        assert code == 0 and 'going on from run/snapshot_iter_3.npz' in stderr
        assert_close_runs(experiment / 'run', experiment / 'whole', 6)


def test_a_rank_that_fails_while_another_hangs_aborts_all_in_time(experiment):
    harm = "fail(RuntimeError('harm')) if self.number else time.sleep(300)"
    process = start_harmed(experiment, 2, -1, 4, harm, 'training.py', *TRAINING_ARGUMENTS, '-o', 'run')
    _, stderr = process.communicate(timeout=WAIT)
    assert process.returncode == 1 and stderr.count('RuntimeError: harm') == 1, stderr
    assert [path.name for path in (experiment / 'run').glob('snapshot*')] == ['snapshot_iter_3.npz']


def test_a_volume_that_all_lack_and_a_folder_that_is_taken_are_told_once(experiment, train):
    (experiment / 'LR/0002.mhd').rename(experiment / 'away')
    code, stdout, stderr = train_on(experiment, 3)
    assert (code, stdout, stderr.count('\n')) == (2, '', 1) and 'no volume LR/0002.mhd' in stderr
    (experiment / 'away').rename(experiment / 'LR/0002.mhd')
    assert train(out='ranks').returncode == 0
    code, stdout, stderr = train_on(experiment, 2)
    assert (code, stdout, stderr.count('\n')) == (2, '', 1) and 'ranks holds a run already' in stderr
    code, stdout, stderr = train_on(experiment, 6, out='other')
    assert (code, stdout, stderr.count('\n')) == (2, '', 1) and 'batchsize: 5 is fewer examples than the 6' in stderr


@pytest.mark.parametrize('name, code', [('SIGINT', 130), ('SIGTERM', 143)])
def test_a_signal_to_mpiexec_leaves_one_snapshot_and_the_code_of_one_process(experiment, name, code):
    change(experiment / 'experiment.yml', 'iteration: 6', 'iteration: 100000')
    process = start(experiment, 2, 'training.py', *TRAINING_ARGUMENTS, '-o', 'run', '--set', 'snapshot_interval=90000')
    deadline = time.monotonic() + 60
    while not (experiment / 'run/gen_best.npz').exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(getattr(signal, name))
    _, stderr = process.communicate(timeout=WAIT)
    assert process.returncode == code, stderr
    snapshot, = (experiment / 'run').glob('snapshot_iter_*.npz')
    assert stderr.count('stopping after this iteration') == stderr.count('interrupted; to go on from') == 1
    assert f'from run/{snapshot.name}:\nmpiexec -n 2 ' in stderr

    stopped_at = int(snapshot.stem.rsplit('_', 1)[1])
    runs = []
    for out in ('run', 'again'):  # the same weights each time
        code, _, stderr = train_on(experiment, 2, '--resume', f'run/{snapshot.name}', '--set',
                                   f'iteration={stopped_at + 3}', '--set', 'iteration_decay_start=2', out=out)
        assert code == 0, stderr
        runs.append(experiment / out / f'gen_iter_{stopped_at + 3}.npz')
    assert weights(runs[0]) and assert_same_weights(*runs) is None


def test_random_kills_change_no_bit_of_the_end(tmp_path):
    blows = soak(tmp_path, 600, longest=4)
    assert len(blows) > 1


def test_two_and_three_ranks_give_the_scores_and_pictures_of_one_process(tmp_path, infer):
    """And deviations; with more ranks than cases as well."""
    make_unsure(prepare(tmp_path))
    (tmp_path / 'test_list.txt').write_text('LR/0002.mhd HR/0002.mhd\nLR/0001.mhd HR/0001.mhd\n')
    one = infer('-o', 'one')
    assert one.returncode == 0, one.stderr
    for ranks in (2, 3):
        code, stdout, stderr = infer_on(tmp_path, ranks, out=f'of_{ranks}')
        assert (code, stderr) == (0, '') and stdout.replace(f'of_{ranks}/', 'one/') == one.stdout
        assert contents(tmp_path / f'of_{ranks}') == contents(tmp_path / 'one')


def test_ranks_say_what_one_process_says_and_a_bad_volume_costs_no_other(tmp_path, infer):
    """Notes of either rank, in the cases' order."""
    prepare(tmp_path)
    (tmp_path / 'bad.nii.gz').write_text('not an image')
    for name in ('0000', '0001', '0002'):
        change(tmp_path / f'LR/{name}.mhd', 'ElementSpacing', 'Comment')
    arguments = '-i', 'LR/0001.mhd', 'bad.nii.gz', 'none.nii.gz', 'LR/0002.mhd', 'LR/0000.mhd'
    one = infer(*arguments, '-o', 'one')
    assert one.returncode == 1 and one.stderr.count('names no ElementSpacing') == 3
    code, stdout, stderr = infer_on(tmp_path, 2, *arguments)
    assert (code, stderr, stdout.replace('ranks/', 'one/')) == (1, one.stderr, one.stdout)
    assert contents(tmp_path / 'ranks') == contents(tmp_path / 'one') and len(contents(tmp_path / 'one')) == 6

    code, stdout, stderr = infer_on(tmp_path, 2, *arguments[:1], 'bad.nii.gz', out='none')
    assert (code, stdout, stderr.count('\n')) == (2, '', 1) and not (tmp_path / 'none').exists()
    code, stdout, stderr = infer_on(tmp_path, 2, '--jobs', 2, out='none')
    assert (code, stdout, stderr.count('\n')) == (2, '', 1) and '--jobs 2: the processes of mpiexec' in stderr


@pytest.mark.parametrize('harm, code, words', [("raise RuntimeError('harm')", 1, 'RuntimeError: harm'),
                                               ('os.kill(os.getpid(), 9)', 9, 'KILLED|Killed')])
def test_a_rank_that_comes_to_harm_ends_an_inference_and_the_scores_before_stay(tmp_path, harm, code, words):
    """In the second of two rounds. The harm is in the network's code, which is read from beside the experiment."""
    make_unsure(prepare(tmp_path))
    change(tmp_path / 'unsure.py', '        mean =', f"""        import os, time
        from mpi4py import MPI
        calls.append(MPI.COMM_WORLD.rank)
        while calls == [1, 1]:
            if os.path.exists('ranks/scores.csv'):
                {harm}
            time.sleep(0.01)
        mean =""")
    change(tmp_path / 'unsure.py', 'class ', 'calls = []\n\n\nclass ')
    for kind in ('LR', 'HR'):
        write_volume(tmp_path / f'{kind}/0003.mhd', read_volume(tmp_path / f'{kind}/0002.mhd'))
    ended, stdout, stderr = infer_on(tmp_path, 2, '--pairs', 'LR', 'HR')
    said = stderr + stdout
    assert ended == code and sum(said.count(word) for word in words.split('|')) == 1, said
    assert said.count('Traceback') == (code == 1)
    assert set(read_csv(tmp_path / 'ranks/scores.csv')) <= {'0000', '0001'}
    assert not (tmp_path / 'ranks/report.html').exists()


def make_in_tiles(folder, name):
    """Let the model be one of :data:`IN_TILES`, with weights that were drawn."""
    (folder / 'in_tiles.py').write_text(IN_TILES)
    change(folder / 'experiment.yml', 'fn: models/espcn3d.py', 'fn: in_tiles.py')
    change(folder / 'experiment.yml', 'name: ESPCN3D', f'name: {name}')
    config = load_config(folder / 'experiment.yml')
    save_network(folder / 'gen.npz', build_network(config, folder), config.to_yaml())


def take_counts(folder):
    """How many tiles each rank has computed since the last time."""
    counts = []
    for path in sorted(folder.glob('tiles_of_*')):
        counts.append(len(path.read_text()))
        path.unlink()
    return counts


@pytest.mark.parametrize('name, arguments', [('Plain', ()), ('Plain', ('--ensemble',)),
                                             ('Bayesian', ('--samples', 3))])
def test_ranks_without_a_case_compute_tiles_and_no_bit_is_another(tmp_path, infer, monkeypatch, name, arguments):
    """One case, and of three on 2 ranks the last. Scores and pictures as well."""
    monkeypatch.setattr(tiling, 'MEMORY', tiling.MEMORY)  # the network's code sets it, here as well
    make_in_tiles(prepare(tmp_path), name)
    for cases, sizes in (1, (2, 3)), (3, (2,)):
        (tmp_path / 'test_list.txt').write_text(''.join(f'LR/000{n}.mhd HR/000{n}.mhd\n' for n in range(cases)))
        one = infer('-o', f'one_{cases}', *arguments)
        assert one.returncode == 0, one.stderr
        count, = take_counts(tmp_path)
        for ranks in sizes:
            out = f'{cases}_on_{ranks}'
            code, stdout, stderr = infer_on(tmp_path, ranks, *arguments, out=out)
            assert (code, stderr) == (0, one.stderr) and stdout.replace(f'{out}/', f'one_{cases}/') == one.stdout
            assert contents(tmp_path / out) == contents(tmp_path / f'one_{cases}')
            counts = take_counts(tmp_path)
            assert len(counts) == ranks and sum(counts) == count


@pytest.mark.parametrize('harm, code, words', [("raise RuntimeError('harm')", 1, 'RuntimeError: harm'),
                                               ("raise MemoryError('harm')", 2, 'error: not enough memory: harm'),
                                               ('os.kill(os.getpid(), 9)', 9, 'KILLED|Killed')])
@pytest.mark.parametrize('rank', [0, 1])
def test_a_rank_that_comes_to_harm_in_a_tile_ends_all_and_nothing_is_written(tmp_path, rank, harm, code, words):
    """But for a lack of memory on the rank that has the case, which costs the case, as in one process."""
    make_in_tiles(prepare(tmp_path), 'Plain')
    change(tmp_path / 'in_tiles.py', '    calls += 1\n', f"""    calls += 1
    if (calls, util.mpiexec._launched()) == (2, {rank}):
        import os
        {harm}
""")
    ended, stdout, stderr = infer_on(tmp_path, 2, '-i', 'LR/0000.mhd')
    said = stderr + stdout
    if (rank, code) == (0, 2):
        words = 'error: LR/0000.mhd: not enough memory: harm'
    assert ended == code and sum(said.count(word) for word in words.split('|')) == 1, said
    assert said.count('Traceback') == (code == 1) and 'Abort' not in said
    assert [path.name for path in (tmp_path / 'ranks').rglob('*')] in ([], ['.lock'])
