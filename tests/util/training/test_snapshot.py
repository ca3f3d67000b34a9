"""A snapshot brings a trainer back without pickle, and what is no snapshot of it is one line."""
import json

import chainer
import numpy
import pytest
from chainer import training
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
    other.get_extension('remembers').seen = 7
    load_snapshot(path, other)
    assert other.get_extension('remembers').seen is None



def test_a_snapshot_of_another_network_is_one_line(trained, tmp_path):
    with pytest.raises(UserError, match='snapshot.npz: this snapshot does not fit the experiment'):
        load_snapshot(trained[1], make_trainer(tmp_path, units=5))


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
