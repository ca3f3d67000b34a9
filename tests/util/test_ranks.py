"""What of the ranks can be seen without an MPI; tests/test_ranks.py has the rest."""
import sys
import weakref
from types import SimpleNamespace

import chainer
import numpy
import pytest

from tests.experiment import assert_refused
from util.ranks import ALONE, Ranks
from util.script import UserError


@pytest.mark.parametrize('size', [1, 2, 3, 4, 5])
@pytest.mark.parametrize('batchsize', [5, 6, 32])
def test_shares_are_the_whole_batch_in_order_and_differ_by_one_at_most(size, batchsize):
    batch = list(range(batchsize))
    shares = [batch[Ranks.share(SimpleNamespace(number=number, size=size), batchsize)] for number in range(size)]
    assert sum(shares, []) == batch and max(map(len, shares)) - min(map(len, shares)) <= 1
    assert batch[ALONE.share(batchsize)] == batch


def test_ranks_without_an_example_are_refused():
    with pytest.raises(UserError, match='batchsize: 5 is fewer examples than the 6 processes'):
        Ranks.share(SimpleNamespace(number=0, size=6), 5)


@pytest.mark.parametrize('items', [[], ['a'], list('abcdefg')])
def test_what_is_dealt_out_is_collected_in_order(items):
    def dealt(number):
        return Ranks.deal(SimpleNamespace(number=number, size=3), items)

    world = SimpleNamespace(allgather=lambda _: [dealt(number) for number in range(3)])
    ranks = SimpleNamespace(size=3, _meet=lambda: None, _world=world)
    assert Ranks.collect(ranks, dealt(0)) == items == ALONE.collect(ALONE.deal(items))


def test_mpiexec_without_mpi_and_a_communicator_without_mpiexec_are_one_line(experiment, train, infer, monkeypatch):
    assert_refused(train('--communicator', 'naive'), '--communicator naive is for the processes of mpiexec')
    monkeypatch.setenv('PMI_RANK', '0')
    assert_refused(train('--communicator', 'pure_nccl'), '--communicator pure_nccl is for GPUs; on the CPU: naive')
    monkeypatch.setitem(sys.modules, 'mpi4py', None)
    for script in (train, infer):
        assert_refused(script(), 'mpiexec: mpi4py and an MPI are missing')
    assert not (experiment / 'run').exists() and not (experiment / 'out').exists()


def test_what_a_loss_was_computed_of_does_not_outlive_its_step():
    """It is as much as a step needs at all."""
    rank = SimpleNamespace(size=2)
    squares = chainer.functions.square(chainer.Variable(numpy.ones(3, 'float32')))
    array = weakref.ref(squares.node)
    loss = Ranks.part(rank, chainer.functions.sum(squares), 0.5)
    assert float(loss.array) == 3 and array() is not None
    del squares, loss
    assert array() is None
