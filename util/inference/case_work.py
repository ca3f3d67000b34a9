"""The cases of a run, from their files to what is in the folder of results: in this process or in several."""
import contextlib
import io
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy

from models.cpu_blocks import workers
from util import files
from util.dataset.pairs import read_pair_to_score
from util.inference.case_results import Manner, forget_scores, score_case, super_resolve_case
from util.inference.model_file import arrays_of, fill
from util.inference.network import build_network
from util.inference.shared_tiles import Team
from util.inference.sidecars import Provenance
from util.inference.super_resolution import parts_of
from util.script import UserError, what_failed
from util.volumes import writing
from util.volumes.reading import read_volume
from util.volumes.sampling import Sampling


class Work(NamedTuple):
    """What is to be done with each case of a run."""
    out: Path                             # folder of the results
    config: object                        # ~util.config.Config: the experiment of the model
    root: Path                            # where its network's code may lie beside the project
    manner: Manner                        # how the model is used
    provenance: Provenance | None = None  # of a BIDS derivative; None: the results are none


class Outcome(NamedTuple):
    """What came of a case; its volumes and pictures are in the folder."""
    done: bool                     # its volumes are written
    failures: list                 # of str: what could not be done
    difference: str | None = None  # from the scans of the training, where it is unlike these
    scores: dict = {}              # both as `util.inference.case_results.score_case` gives them
    uncertainty: dict = {}
    sampling: Sampling | None = None  # where its LR voxels lie among HR voxels; None: it is not done


def outcomes(work, net, cases, processes, ranks):
    """Do the cases, and tell of each as it is done.

    Several processes do the same as one, to the bit: a convolution does not depend on the number of its threads.

    Args:
        work (Work): What to do.
        net (~chainer.Chain): As `models.network` describes it.
        cases (list of ~util.dataset.case_lists.Case): The cases.
        processes (int): How many cases at a time; of more than 1, each has its share of the CPU's cores.
        ranks (~util.ranks.OneProcess): The processes of mpiexec, which share the cases, or their tiles, out; all call
            this.

    Yields:
        (int, Outcome): Of each case its number in the list and its outcome, in any order; on the first rank alone.
    """
    if ranks.size > 1:
        yield from _in_rounds(work, net, cases, ranks)
        return
    processes = min(processes, len(cases))
    if processes < 2:
        yield from enumerate(do(work, net, case) for case in cases)
        return
    from util.processes import Died, results  # here, since one process does without

    threads = max(workers.count // processes, 1)
    workers.stop()
    try:
        with contextlib.closing(results(_prepare, (work, arrays_of(net)), cases, processes, threads)) as found:
            for number, result in found:
                if isinstance(result, Died):
                    result = Outcome(False, [f'{cases[number].lr_path}: the process that was at it {result.how}; fewer '
                                             '--jobs need less memory'])
                yield number, result
    finally:
        remove_strays(work.out, cases)  # of processes that were killed


def _in_rounds(work, net, cases, ranks):
    """A case on each rank, and then the next ones: so an error, or an interruption, costs one round at most.

    Where there are fewer cases than ranks, those that have none compute for those that have one.
    """
    from util.processes import repeat

    for first in range(0, len(cases), ranks.size):
        dealt = cases[first:first + ranks.size]
        team = Team(ranks, len(dealt))
        if team.leads:
            found = [_overheard(work, net, case, ranks, team) for case in ranks.deal(dealt)]
            team.end()
        else:
            found = []
            team.follow(net)
        found = ranks.collect(found)
        if ranks.is_first:
            for number, (outcome, text) in enumerate(found, first):
                repeat(text)
                yield number, outcome


def _overheard(work, net, case, ranks, team):
    """The outcome of a case, and what was said about it by a rank that nobody hears."""
    said = io.StringIO()
    with contextlib.nullcontext() if ranks.is_first else contextlib.redirect_stderr(said):
        return do(work, net, case, team.parts), said.getvalue()


def remove_strays(out, cases):
    """Remove what kills have left half written among the results of cases; nobody may be writing there."""
    for folder in {(out / case.file()).parent for case in cases}:
        files.remove_strays(folder)
        writing.remove_strays(folder)


def _prepare(argument):
    """In another process, the function of a case; it never reads the model file, which may have changed meanwhile."""
    work, arrays = argument
    net = build_network(work.config, work.root)
    fill(net, arrays)
    return partial(do, work, net)


def do(work, net, case, parts=parts_of):
    """Do a case; that it cannot be done is no error, but an :class:`Outcome` that says so.

    Args:
        parts (callable): As of `util.inference.super_resolution.super_resolve`.
    """
    try:
        told = work.provenance.of(case) if work.provenance else None
        lr, hr, sampling = (read_pair_to_score(case, work.config) if case.hr_path
                            else (read_volume(case.lr_path, numpy.float32), None, net.sampling))
        sr, difference = super_resolve_case(work.out, case, lr, net, work.manner, sampling, told, parts)
    except UserError as error:
        return Outcome(False, [str(error)])
    except (OSError, MemoryError) as error:
        return Outcome(False, [f'{case.lr_path}: {what_failed(error)}'])
    forget_scores(work.out, case)
    scored = ({}, {}, []) if hr is None else score_case(work.out, case, lr, sr, hr, sampling, work.manner.factors)
    return Outcome(True, scored[2], difference, *scored[:2], sampling)
