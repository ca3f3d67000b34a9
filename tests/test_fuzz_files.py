"""Thousands of damaged and hostile configs, case lists, model files and snapshots, always the same ones.

Each is one line of a UserError, or as good as a whole file: the numbers of each kind are printed.

    python -m pytest -rP tests/test_fuzz_files.py
"""
import contextlib
import random
import time
from types import SimpleNamespace

import numpy
import pytest
from chainer.serializers import DictionarySerializer

from tests.damage import damaged_npz, damaged_text
from util.config import Config
from util.config_files import load_config, parse_config, read_experiment
from util.dataset.case_lists import read_list
from util.dataset.pairs import Pairs
from util.inference.calibration import Calibration, read_calibration, save_calibration
from util.inference.model_file import load_network, read_lie, read_looks, save_network
from util.inference.network import build_network
from util.scores.intervals import PERCENTS
from util.script import PROJECT, UserError
from util.training.snapshot import load_snapshot, save_snapshot
from util.training.trainer import make_trainer
from util.volumes.geometry import Geometry
from util.volumes.looks import FEATURES, unlike
from util.volumes.orientation import Lie

pytestmark = pytest.mark.slow

CONFIGS, LISTS, MODELS, SNAPSHOTS = 1200, 400, 900, 700  # tried
GO_ON = 8  # of the snapshots that survive, as many train to their end
SLOWEST = 20  # seconds, of any one


class Tally:
    """Counts how the tries of one kind ended, and sees that each refusal is one line and comes soon."""

    def __init__(self, kind):
        self.kind, self.refused, self.survived, self.started = kind, 0, 0, time.monotonic()

    @contextlib.contextmanager
    def trying(self, what):
        started, what = time.monotonic(), f'{self.kind} {self.refused + self.survived}: {what[:3000]!r}'
        try:
            yield
            self.survived += 1
        except UserError as error:
            assert len(str(error).splitlines()) == 1 and str(error).isprintable() and len(str(error)) < 8000
            self.refused += 1
        except Exception as error:
            raise AssertionError(what) from error
        assert time.monotonic() - started < SLOWEST, what

    def show(self, tried):
        assert self.refused + self.survived == tried
        print(f'{self.kind}: {tried} tried, {self.survived} survived, 0 wrong '
              f'({time.monotonic() - self.started:.0f} s)')


@pytest.fixture(autouse=True)
def nothing_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / 'hit').exists()


def test_configs():
    rng, tally = random.Random(0), Tally('config')
    texts = [load_config(path).to_yaml() for path in sorted((PROJECT / 'configs').glob('*.yml'))]
    texts.append((PROJECT / 'configs/base.yml').read_text(encoding='utf-8'))
    for _ in range(CONFIGS):
        text = rng.choice(texts)
        for _ in range(rng.choice([1, 1, 2, 5])):
            text = damaged_text(rng, text)
        with tally.trying(text):
            config = parse_config(text, 'mine.yml')
            assert isinstance(config, Config) and parse_config(config.to_yaml(), 'copy') == config
            build_network(config)
    tally.show(CONFIGS)


def test_case_lists(tmp_path):
    rng, tally = random.Random(1), Tally('case list')
    for number in range(5):
        for kind in ('LR', 'HR'):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / f'{kind}/{number}.mhd').touch()
    text = ''.join(f'LR/{number}.mhd HR/{number}.mhd\n' for number in range(5))
    for _ in range(LISTS):
        damaged = damaged_text(rng, text)
        (tmp_path / 'list.txt').write_bytes(damaged.encode(errors='surrogateescape'))
        with tally.trying(damaged):
            cases = read_list(tmp_path / 'list.txt', tmp_path)
            assert cases and len({case.name for case in cases}) == len(cases) and all(case.name for case in cases)
            assert all(path.is_file() for case in cases for path in (case.lr_path, case.hr_path) if path)
    tally.show(LISTS)


SMALL = ['upsampling_rate=[2, 1, 1]', 'patchside=[4, 3, 3]', 'batchsize=1', 'iteration=4', 'iteration_decay_start=1',
         'display_interval=3', 'evaluation_interval=2', 'snapshot_interval=2']  # half of a log at the snapshot


def state(thing):
    """A copy of all that a network or a trainer would write, but for the time."""
    serializer = DictionarySerializer()
    with contextlib.suppress(RuntimeError):  # a trainer that has not run has no time
        serializer.save(thing)
    return {name: numpy.array(array) for name, array in serializer.target.items() if 'elapsed_time' not in name}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        numpy.testing.assert_array_equal(array, other[name], err_msg=name)


def assert_sound(found, whole):
    """The arrays are of the shapes and types of a whole file's, and finite."""
    for name, array in whole.items():
        if array.ndim:
            assert found[name].shape == array.shape and found[name].dtype == array.dtype, name
            assert numpy.isfinite(found[name]).all(), name


@contextlib.contextmanager
def unchanged_if_refused(thing):
    """What is refused has changed nothing of the network or trainer that it was to fill."""
    before = state(thing)
    try:
        yield
    except UserError:
        assert_same(before, state(thing))
        raise


def test_model_files(tmp_path):
    rng, tally, path = random.Random(2), Tally('model file'), tmp_path / 'gen.npz'
    config = load_config(PROJECT / 'configs/base.yml', SMALL)
    save_network(path, build_network(config), config.to_yaml(), Lie('RAS', (1.0, 1.0, 4.0)),
                 {name: [[0.5, 0.25]] for name in FEATURES})
    factors = {percent: percent / 40 for percent in PERCENTS}
    save_calibration(path, Calibration(factors, {**factors, 95: None}, 12, False))
    content, net = path.read_bytes(), build_network(config)
    load_network(path, net)
    whole = state(net)
    for _ in range(MODELS):
        checked, damaged = damaged_npz(rng, content)
        path.write_bytes(damaged)
        with tally.trying(damaged):
            with unchanged_if_refused(net):
                experiment, lie, calibration = read_experiment(path), read_lie(path), read_calibration(path)
                looks = read_looks(path, 1)
                load_network(path, net)
            assert experiment is None or isinstance(experiment, Config)
            assert isinstance(lie, (Lie, type(None)))
            assert looks is None or unlike(numpy.zeros((1, 3, 3, 3)), looks)[0] >= 0
            assert calibration is None or all(0 < q < 1e5 for q in calibration.factors.values())
            assert_sound(state(net), whole)
            if not checked:
                assert_same(state(net), whole)
    tally.show(MODELS)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes trainers of one small experiment, and the snapshot of its second iteration."""
    monkeypatch.setattr('chainer.training.trainer._get_time', float)  # 0.0: the same bytes in every run
    config = load_config(PROJECT / 'configs/base.yml', SMALL)
    hr = numpy.random.default_rng(0).normal(size=(1, 8, 4, 4)).astype(numpy.float32)
    place = Geometry((1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    pairs = Pairs(['0000'], [(numpy.ascontiguousarray(hr[:, ::2]), hr)], [place], [0])

    def trainer():
        numpy.random.seed(0)
        made = make_trainer(config, build_network(config), pairs, pairs, tmp_path / 'run')
        save_snapshot(tmp_path / 'start.npz', made)  # which makes the optimizer's moments, as loading does
        return made

    trainer().run(show_loop_exception_msg=False)
    return SimpleNamespace(trainer=trainer, snapshot=tmp_path / 'run/snapshot_iter_2.npz')


@pytest.mark.filterwarnings('ignore::RuntimeWarning')  # weights of 1e300, while a survivor goes on
def test_snapshots(make, tmp_path, capfd):
    rng, tally, path = random.Random(3), Tally('snapshot'), tmp_path / 'snapshot.npz'
    content, trainer, went_on = make.snapshot.read_bytes(), make.trainer(), 0
    load_snapshot(make.snapshot, trainer)
    whole, trainer = state(trainer), make.trainer()
    for _ in range(SNAPSHOTS):
        checked, damaged = damaged_npz(rng, content)
        path.write_bytes(damaged)
        with tally.trying(damaged):
            with unchanged_if_refused(trainer):
                load_snapshot(path, trainer)
            loaded, used, trainer = state(trainer), trainer, make.trainer()
            assert_sound(loaded, whole)
            if not checked:
                assert_same(loaded, whole)
            elif went_on < GO_ON:
                went_on += 1
                used.run(show_loop_exception_msg=False)
    capfd.readouterr()  # the tables of those that went on
    tally.show(SNAPSHOTS)
