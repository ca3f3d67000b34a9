"""A snapshot brings a trainer back without pickle, and what is no snapshot of it is one line."""
import contextlib
import json

import chainer
import numpy
import pytest
from chainer import training
from chainer.serializers import DictionarySerializer
from chainer.training import extensions

from util.script import UserError
from util.training.snapshot import NONES, load_snapshot, save_snapshot


class Remembers(training.Extension):
    """Has something to serialize that is None, as some of Chainer's own extensions have."""
    seen = None

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        self.seen = serializer('seen', self.seen)


def make_trainer(folder, last=3, units=3):
    """A line fitted to four points, with Adam's moments, a log and a counter to bring back."""
    class Line(chainer.Chain):
        def __init__(self):
            super().__init__()
            with self.init_scope():
                self.layer = chainer.links.Linear(2, units)

    net = Line()
    optimizer = chainer.optimizers.Adam().setup(net)
    iterator = chainer.iterators.SerialIterator(numpy.arange(8, dtype=numpy.float32).reshape(4, 2), 2, shuffle=False)
    updater = training.StandardUpdater(iterator, optimizer,
                                       loss_func=lambda x: chainer.functions.mean(net.layer(x) ** 2))
    trainer = training.Trainer(updater, (last, 'iteration'), out=folder)
    trainer.extend(Remembers(), name='remembers')
    trainer.extend(extensions.LogReport(trigger=(1, 'iteration')))
    return trainer


def weights(trainer):
    net = trainer.updater.get_optimizer('main').target
    return {name: param.array.copy() for name, param in net.namedparams()}


@pytest.fixture
def trained(tmp_path):
    """A trainer after three iterations, and its snapshot of then."""
    trainer = make_trainer(tmp_path / 'run')

    trainer.extend(lambda trainer: save_snapshot(tmp_path / 'snapshot.npz', trainer), name='keep',
                   trigger=(3, 'iteration'), priority=-100)
    trainer.run()
    return trainer, tmp_path / 'snapshot.npz'


def test_a_loaded_trainer_goes_on_as_the_saved_one(trained, tmp_path):
    trainer, path = trained
    other = make_trainer(tmp_path / 'other', last=4)
    load_snapshot(path, other)
    assert other.updater.iteration == 3
    other.run()
    trainer.updater.update()
    assert other.updater.iteration == trainer.updater.iteration == 4
    for name, array in weights(trainer).items():
        numpy.testing.assert_array_equal(weights(other)[name], array)


def test_it_opens_without_pickle_and_keeps_what_is_none(trained, tmp_path):
    _, path = trained
    with numpy.load(path, allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)
        assert json.loads(str(archive[NONES])) == ['extensions/remembers/seen']
    other = make_trainer(tmp_path / 'other')
    load_snapshot(path, other)
    assert other.get_extension('remembers').seen is None
    other.get_extension('remembers').seen = 7
    with pytest.raises(UserError, match='does not fit the experiment: extensions/remembers/seen is none'):
        load_snapshot(path, other)


def test_a_value_takes_the_place_of_none(trained, tmp_path):
    trainer, path = trained
    trainer.get_extension('remembers').seen = 7
    save_snapshot(path, trainer)
    other = make_trainer(tmp_path / 'other')
    load_snapshot(path, other)
    assert other.get_extension('remembers').seen == 7


def test_a_snapshot_of_another_network_is_one_line(trained, tmp_path):
    with pytest.raises(UserError, match='snapshot.npz: this snapshot does not fit the experiment'):
        load_snapshot(trained[1], make_trainer(tmp_path, units=5))


def state(trainer):
    """All that the trainer would write, for comparison."""
    serializer = DictionarySerializer()
    with contextlib.suppress(RuntimeError):  # the time, which comes last, of a trainer that has not run
        serializer.save(trainer)
    return {name: numpy.array(value) for name, value in serializer.target.items() if name != '_snapshot_elapsed_time'}


def assert_same_state(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        numpy.testing.assert_array_equal(value, other[name], err_msg=name)


def swapped(path, **changes):
    """Put other entries into a snapshot; None takes one out."""
    with numpy.load(path) as archive:
        entries = {name: archive[name] for name in archive.files}
    entries.update(changes)
    numpy.savez(path, **{name: value for name, value in entries.items() if value is not None})


WEIGHTS, MOMENT = 'updater/model:main/layer/W', 'updater/optimizer:main/layer/W/m'
LOG, ITERATOR = 'extensions/LogReport/', 'updater/iterator:main/'


@pytest.mark.parametrize('changes, words', [
    ({WEIGHTS: numpy.zeros((3, 3), 'f4')}, f'{WEIGHTS} has shape (3, 3); this network needs (3, 2)'),
    ({WEIGHTS: numpy.zeros((3, 2), 'i4')}, f'{WEIGHTS} is of type int32'),
    ({WEIGHTS: numpy.zeros((3, 2), 'c8')}, f'{WEIGHTS} is of type complex64'),
    ({WEIGHTS: numpy.full((3, 2), numpy.nan, 'f4')}, f'{WEIGHTS} has weights that are not finite'),
    ({WEIGHTS: None}, f'{WEIGHTS} is missing'), ({MOMENT: None}, f'{MOMENT} is missing'),
    ({MOMENT: numpy.zeros(3, 'f4')}, f'{MOMENT} has shape (3,)'),
    ({MOMENT: numpy.full((3, 2), numpy.inf, 'f4')}, f'{MOMENT} has weights that are not finite'),
    ({'updater/iteration': 3.0}, 'updater/iteration is of type float64'),
    ({'updater/iteration': -3}, 'updater/iteration is negative'), ({'updater/iteration': [3]}, 'has shape (1,)'),
    ({'updater/iteration': '3'}, 'updater/iteration is of type <U1'), ({'updater/iteration': None}, 'is missing'),
    ({'updater/iteration': True}, 'updater/iteration is of type bool'),
    ({ITERATOR + 'current_position': 10 ** 18}, 'it has drawn 1000000000000000000 patches'),
    ({ITERATOR + 'epoch': 0}, 'it has drawn 2 patches, and iteration 3 of this batchsize 6'),
    ({ITERATOR + 'previous_epoch_detail': numpy.nan}, 'not finite'),
    ({NONES: 'none'}, f'{NONES} is no JSON'), ({NONES: '5'}, f'{NONES} is not what'), ({NONES: '{}'}, 'is not what'),
    ({NONES: '[5]'}, f'{NONES} is not what'), ({NONES: '[[]]'}, 'is not what'), ({NONES: 5}, f'{NONES} is no text'),
    ({NONES: '[' * 10 ** 5}, f'{NONES} is no JSON'), ({NONES: '[' + '9' * 5000 + ']'}, f'{NONES} is no JSON'),
    ({NONES: json.dumps([WEIGHTS])}, f'{WEIGHTS} is none'),
    ({NONES: '["updater/iteration"]'}, 'updater/iteration is none'), ({NONES: '[]'}, 'remembers/seen is missing'),
    ({LOG + '_log': ''}, '_log is no JSON'), ({LOG + '_log': '5'}, '_log is not what'), ({LOG + '_log': 5}, 'no text'),
    ({LOG + '_log': '[5]'}, '_log is not what'), ({LOG + '_log': '[{"loss": "a"}]'}, '_log is not what'),
    ({LOG + '_log': '[{"loss": ' + '9' * 400 + '}]'}, '_log is not what'), ({LOG + '_log': None}, 'is missing'),
    ({LOG + '_summary/_names': '["a"]'}, '_summaries/0/_x is missing'),
    ({LOG + '_summary/_names': '{"a": 1}'}, '_names is not what'),
    ({LOG + '_summary/_names': '["a"]', **{f'{LOG}_summary/_summaries/0/{key}': value for key, value in (
        ('_x', 1.0), ('_x2', 1j), ('_n', 1))}}, '_x2 is no number'),
    ({LOG + '_summary/_names': '["a"]', **{f'{LOG}_summary/_summaries/0/{key}': value for key, value in (
        ('_x', 1.0), ('_x2', 1.0), ('_n', 1.0))}}, '_n is no number'),
])
def test_what_does_not_fit_is_one_line_and_leaves_the_trainer_as_it_was(trained, tmp_path, changes, words):
    swapped(trained[1], **changes)
    other = make_trainer(tmp_path / 'other')
    before = state(other)
    with pytest.raises(UserError, match='snapshot.npz: ') as caught:
        load_snapshot(trained[1], other)
    assert words in str(caught.value) and '\n' not in str(caught.value)
    after = state(other)
    assert not any(after.pop(name).any() for name in after.keys() - before.keys())  # moments, which start at 0
    assert_same_state(before, after)


def test_what_a_log_has_summed_up_comes_back(tmp_path):
    trainer = make_trainer(tmp_path / 'run', last=3)
    trainer.extend(extensions.LogReport(trigger=(2, 'iteration')), name='rare')
    trainer.extend(lambda trainer: save_snapshot(tmp_path / 'snapshot.npz', trainer), name='keep',
                   trigger=(3, 'iteration'), priority=-100)
    trainer.extend(lambda trainer: chainer.report({'loss': trainer.updater.iteration}), name='tells', priority=300)
    trainer.run()
    other = make_trainer(tmp_path / 'other')
    other.extend(extensions.LogReport(trigger=(2, 'iteration')), name='rare')
    load_snapshot(tmp_path / 'snapshot.npz', other)
    saved, loaded = ({name: value for name, value in state(made).items() if name.startswith('extensions/rare/')}
                     for made in (trainer, other))
    assert json.loads(str(saved['extensions/rare/_summary/_names'])) == ['loss']
    assert_same_state(saved, loaded)


def test_a_snapshot_of_before_the_first_iteration_loads(tmp_path):
    save_snapshot(tmp_path / 'snapshot.npz', make_trainer(tmp_path / 'run'))
    other = make_trainer(tmp_path / 'other')
    load_snapshot(tmp_path / 'snapshot.npz', other)
    other.run()
    assert other.updater.iteration == 3


def test_what_extensions_no_longer_there_have_kept_is_passed_over(tmp_path):
    """Runs of before have curves and, on a terminal, a progress bar of Chainer's own in their snapshots."""
    trainer = make_trainer(tmp_path / 'run')
    trainer.extend(extensions.PlotReport(['main/loss'], file_name='gen_loss.png'))
    trainer.extend(extensions.ProgressBar())
    save_snapshot(tmp_path / 'snapshot.npz', trainer)
    load_snapshot(tmp_path / 'snapshot.npz', make_trainer(tmp_path / 'other'))


def test_a_model_file_is_one_line(tmp_path):
    numpy.savez(tmp_path / 'gen.npz', a=numpy.zeros(2))
    with pytest.raises(UserError, match='gen.npz: not a snapshot of training.py; a model file'):
        load_snapshot(tmp_path / 'gen.npz', make_trainer(tmp_path))


def test_a_failed_write_leaves_the_old_snapshot(trained, tmp_path, monkeypatch):
    trainer, path = trained
    before = path.read_bytes()

    def fail(file, **arrays):
        file.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(numpy, 'savez', fail)
    with pytest.raises(OSError, match='disk full'):
        save_snapshot(path, trainer)
    assert path.read_bytes() == before and not list(tmp_path.glob('.*'))
