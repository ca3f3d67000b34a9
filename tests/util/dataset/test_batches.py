import queue

import pytest
from chainer.iterators import SerialIterator
from chainer.serializers import load_npz, save_npz

from util.dataset.batches import Batches
from util.script import UserError


def test_shares_of_batches_are_the_batches_and_stand_where_the_whole_stands():
    whole = SerialIterator(range(100), 5, shuffle=False)
    shares = [Batches(range(100), 5, share) for share in (slice(0, 2), slice(2, 5))]
    for _ in range(30):  # beyond the end, where it begins anew
        assert whole.next() == shares[0].next() + shares[1].next()
        assert all((share.epoch, share.current_position) == (whole.epoch, whole.current_position) for share in shares)


class Noted:
    """Examples that are their own numbers, and note when they are made; one of them cannot be."""

    def __init__(self, broken=None):
        self.made, self.broken = queue.SimpleQueue(), broken

    def __len__(self):
        return 20

    def __getitem__(self, i):
        self.made.put(i)
        if i == self.broken:
            raise UserError('no such scan')
        return i


def test_batches_are_made_ahead_and_are_the_same():
    examples, batches = Noted(), Batches(range(20), 3, slice(1, 3))
    ahead = Batches(examples, 3, slice(1, 3), ahead=True)
    assert ahead.next() == batches.next() == [1, 2]
    assert [examples.made.get(timeout=20) for _ in range(4)] == [1, 2, 4, 5]  # nobody has asked for the last two
    for _ in range(5):
        assert ahead.next() == batches.next()
    ahead.finalize()
    assert [examples.made.get(timeout=20) for _ in range(9)] == [7, 8, 10, 11, 13, 14, 16, 17, 19]  # none of them twice


def test_batches_made_ahead_begin_anew_at_the_end():
    batches, ahead = (Batches(Noted(), 3, slice(1, 3), ahead) for ahead in (False, True))
    for _ in range(20):
        assert ahead.next() == batches.next()
        assert (ahead.epoch, ahead.current_position) == (batches.epoch, batches.current_position)
    ahead.finalize()


def test_batches_made_ahead_go_on_where_a_snapshot_stands(tmp_path):
    first, second = (Batches(Noted(), 3, slice(0, 3), ahead=True) for _ in range(2))
    for _ in range(3):
        first.next()
    save_npz(tmp_path / 'place.npz', first)
    load_npz(tmp_path / 'place.npz', second)
    assert second.next() == first.next() == [9, 10, 11]
    assert second.next() == [12, 13, 14]
    load_npz(tmp_path / 'place.npz', second)  # what was made ahead is of another place now
    assert second.next() == [9, 10, 11]
    for batches in (first, second):
        batches.finalize()


def test_an_example_that_cannot_be_made_ahead_is_told_of_where_its_batch_is_asked_for():
    batches = Batches(Noted(broken=4), 3, slice(0, 3), ahead=True)
    assert batches.next() == [0, 1, 2]
    with pytest.raises(UserError, match='no such scan'):
        batches.next()
    batches.finalize()
