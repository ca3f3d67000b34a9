"""All that a run measured, and what follows from it."""
import dataclasses
import statistics

from benchmarks.implementations import YARDSTICKS
from benchmarks.limits import limit
from benchmarks.yardsticks import bytes_per_second, multiply_adds_per_second


@dataclasses.dataclass
class Found:
    """All that a run measured.

    Args:
        cases (list of (Case, dict)): For each case a Result per implementation.
        commands (list of (Command, dict)): For each command the Runs of `benchmarks.processes`; empty on a GPU.
        loop (dict): Seconds of an ``iteration`` with its patches, and of its part ``outside`` the network, that of the
            patches.
        gpu (int): GPU number, or negative for the CPU.
        repeats (int): Rounds per case.
        load (float): Number of processes that the machine was busy with before the run.
    """
    cases: list
    commands: list
    loop: dict
    gpu: int
    repeats: int
    load: float

    def limit(self, case, results=None):
        """The least time of a case, by the yardsticks of its own turns.

        Args:
            case (Case): The work.
            results (dict or None): Its Result per implementation; None: the medians of all cases' yardsticks.

        Returns:
            Limit or None: None where a yardstick failed.
        """
        yardsticks = []
        for name in YARDSTICKS:
            measured = [by[name].median for by in ([results] if results else [by for _, by in self.cases])
                        if by[name].seconds]
            if not measured:
                return None
            yardsticks.append(statistics.median(measured))
        return limit(case, multiply_adds_per_second(yardsticks[0], self.gpu), bytes_per_second(yardsticks[1]))


def best_of(results, names):
    """Find the fastest of some implementations.

    Args:
        results (dict): A Result per implementation.
        names (iterable of str): Which.

    Returns:
        str or None: Its name; None where none ran.
    """
    ran = [name for name in names if name in results and results[name].seconds]
    return min(ran, key=lambda name: results[name].median, default=None)
