"""Several ranks at one volume give the bits of one; threads that pickle what they send stand in for processes."""
import itertools
import pickle
import queue
import threading
from collections import defaultdict

import numpy
import pytest

from models.bayesian_espcn3d import BayesianESPCN3D
from models.espcn3d import ESPCN3D
from util.inference import tiling
from util.inference.shared_tiles import Team
from util.inference.super_resolution import parts_of, super_resolve
from util.volumes.sampling import Sampling
from util.volumes.volume import Volume

NET = BayesianESPCN3D(Sampling(2), ksizes=(1, 1, 3), residual='linear')


class Rank:
    """A rank's two methods, and its number."""

    def __init__(self, number, size, letters):
        self.number, self.size, self._letters = number, size, letters

    def send(self, value, rank):
        self._letters[self.number, rank].put(pickle.dumps(value))

    def receive(self, rank):
        return pickle.loads(self._letters[rank, self.number].get(timeout=30))


def together(size, leaders, lead, net=NET):
    """What ``lead`` returns, called with each rank that leads, its number and its Team."""
    letters, found = {pair: queue.Queue() for pair in itertools.permutations(range(size), 2)}, {}

    def begin(number):
        team = Team(Rank(number, size, letters), leaders)
        if team.leads:
            found[number] = lead(number, team)
            team.end()
        else:
            team.follow(net)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert not any(letter.qsize() for letter in letters.values())
    return found


def scan(seed=0):
    array = numpy.random.default_rng(seed).uniform(10, 500, (1, 7, 6, 5)).astype(numpy.float32)
    return Volume(array, (2.0, 1.0, 4.0), (-3.0, 5.0, 7.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiling, 'MEMORY', 1)
    monkeypatch.setattr(tiling, 'MOST_COMPUTED', 10)
    assert len(list(parts_of(NET, scan().array, None))) > 5


@pytest.mark.parametrize('size, ensemble, samples', [(2, False, None), (3, True, None), (3, False, 2),
                                                     (40, False, None)])
def test_a_volume_has_the_bits_of_one_process(size, ensemble, samples):
    """Also where there are more ranks than tiles."""
    arguments = NET, scan(), 'percentile', ensemble, samples
    found = together(size, 1, lambda _, team: super_resolve(*arguments, team.parts))[0]
    for shared, alone in zip(found, super_resolve(*arguments), strict=True):
        assert (shared is None) == (alone is None)
        if alone is not None:
            numpy.testing.assert_array_equal(shared.array, alone.array)


def test_parts_come_in_the_order_of_one_process():
    lr = scan().array
    found = together(3, 1, lambda _, team: [place for place, _ in team.parts(NET, lr, None)])[0]
    assert found == [place for place, _ in parts_of(NET, lr, None)]


@pytest.mark.parametrize('size, leaders', [(5, 2), (3, 3)])
def test_each_leader_gets_its_own_volume(size, leaders):
    found = together(size, leaders, lambda number, team: [
        super_resolve(NET, scan(seed), 'none', parts=team.parts).mean.array for seed in (number, 9)])
    assert sorted(found) == list(range(leaders))
    for number, arrays in found.items():
        for array, seed in zip(arrays, (number, 9), strict=True):
            numpy.testing.assert_array_equal(array, super_resolve(NET, scan(seed), 'none').mean.array)


@pytest.mark.parametrize('size', [2, 3])
def test_the_ranks_compute_equal_numbers_of_tiles(size):
    calls = defaultdict(int)

    class Counted(ESPCN3D):
        def forward(self, x):
            calls[threading.get_ident()] += 1
            return super().forward(x)

    net, lr = Counted(Sampling(2)), scan().array
    count = len(list(parts_of(net, lr, None)))
    calls.clear()
    together(size, 1, lambda _, team: list(team.parts(net, lr, None)), net)
    assert sum(calls.values()) == count and max(calls.values()) == -(-count // size)


@pytest.mark.parametrize('taken', [0, 1, 2])
def test_a_volume_that_is_given_up_midway_leaves_nothing_to_the_next(taken):
    """As where the leader's memory does not suffice for it: that costs this case alone."""
    def lead(_, team):
        parts = team.parts(NET, scan(1).array, None)
        for _ in range(taken):
            next(parts)
        return super_resolve(NET, scan(), 'none', parts=team.parts).mean.array

    numpy.testing.assert_array_equal(together(3, 1, lead)[0], super_resolve(NET, scan(), 'none').mean.array)
