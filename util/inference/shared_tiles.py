"""The tiles of a volume shared out among ranks: of those at a case one leads, and the others compute for it."""
import numpy

from models import reused_memory
from util.inference.super_resolution import parts_of

_NEXT = 'next'


class Team:
    """The ranks at one case.

    The first ranks lead a team each, and do all that there is to do with its case. The others are dealt to them, need
    neither the case's files nor an HR volume, and compute every N-th tile of the N ranks. Each part is asked for before
    it is sent, so who leads may give a volume up at any time.

    Args:
        ranks (~util.ranks.Ranks): All of them.
        leaders (int): How many lead, 1 or more.

    Attributes:
        leads (bool): Whether this rank leads. It calls :meth:`parts` for any number of volumes, and :meth:`end`; the
            others call :meth:`follow`.
    """

    def __init__(self, ranks, leaders):
        self._ranks, self._leader = ranks, ranks.number % leaders
        self._others = range(self._leader + leaders, ranks.size, leaders)
        self.leads = ranks.number == self._leader

    def parts(self, net, lr, samples):
        """What `util.inference.super_resolution.parts_of` gives, in the same order and to the same bits."""
        size = 1 + len(self._others)
        for number, rank in enumerate(self._others, 1):
            self._ranks.send((lr, samples, slice(number, None, size)), rank)
        for own in parts_of(net, lr, samples, slice(0, None, size)):
            yield own
            for rank in self._others:
                self._ranks.send(_NEXT, rank)
                part = self._ranks.receive(rank)
                if part is not None:
                    yield part

    def end(self):
        """Let the others go."""
        for rank in self._others:
            self._ranks.send(None, rank)

    def follow(self, net):
        """Compute what the leader asks for, with the same network, until it lets this rank go."""
        computed = part = None
        while (told := self._ranks.receive(self._leader)) is not None:
            if told == _NEXT:
                self._ranks.send(part, self._leader)
            else:
                computed = parts_of(net, *told)
            part = next(computed, None)
            if part is not None:  # contiguous arrays are sent without a copy
                part = part[0], {name: numpy.ascontiguousarray(array) for name, array in part[1].items()}
        reused_memory.release()
