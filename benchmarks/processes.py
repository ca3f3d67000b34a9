"""Let commands take turns, each a whole process; `benchmarks.commands` says which.

Each round runs this project's command, the plain script and the yardstick that only moves the files; the next round
goes backwards. The first round warms the caches, is checked for agreement, and counts only if there is no other. There
are `FEWEST` more, and further ones up to `--repeats` until a command has taken `ENOUGH` seconds. Medians count.
"""
import dataclasses
import json
import shutil
import statistics
import subprocess
import sys
from typing import NamedTuple

from benchmarks.agreement import Disagreement
from benchmarks.commands import FILES, HERE, PLAIN
from benchmarks.failure import Failure, without_paths
from util.script import PROJECT, UserError

FEWEST, ENOUGH = 3, 60


class Usage(NamedTuple):
    """What one process took."""
    wall: float  # seconds
    cpu: float   # seconds, user and system, of it and all that it waited for
    peak: float  # MiB, resident, of its largest process


@dataclasses.dataclass
class Runs:
    """One command line, round after round.

    Args:
        usages (list of Usage): Of each round.
        failure (str or None): Why there is no result.
    """
    usages: list = dataclasses.field(default_factory=list)
    failure: str = None

    def median(self, key):
        """Median over the rounds.

        Args:
            key (str): A field of Usage.

        Returns:
            float: In the field's unit.
        """
        return statistics.median(getattr(usage, key) for usage in self.usages)


def run_process(arguments, log):
    """Run Python with arguments and say what that took.

    Args:
        arguments (list): What follows the interpreter.
        log (pathlib.Path): File of its output; replaced.

    Returns:
        Usage: What it took.

    Raises:
        Failure: If its exit code is not 0.
    """
    launcher = [sys.executable, '-I', '-S', PROJECT / 'benchmarks/launch.py', log, sys.executable, *arguments]
    done = subprocess.run([*map(str, launcher)], cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    usage = json.loads(done.stdout)
    code = usage.pop('code')
    if code:
        lines = log.read_text(errors='replace').strip().splitlines() or ['no output']
        missing = lines[-1].removeprefix('ModuleNotFoundError: No module named ')
        raise Failure(f'not installed ({missing.strip(chr(39))})' if missing != lines[-1]
                      else f'does not work here (exit code {code}): {without_paths(lines[-1])}')
    return Usage(**usage)


def measure_command(command, folder, repeats):
    """Run a command beside the plain script and the yardstick.

    Args:
        command (~benchmarks.commands.Command): What to run.
        folder (pathlib.Path): An empty folder for results.
        repeats (int): The most rounds; 1: the first counts.

    Returns:
        dict: Runs of :data:`HERE`, :data:`PLAIN` and :data:`FILES`.

    Raises:
        UserError: If the two do different things.
    """
    runs = {name: Runs() for name in (HERE, PLAIN, FILES)}
    written, spent, number = [], 0, 0
    while number == 0 or (repeats > 1 and number <= repeats and (number <= FEWEST or spent < ENOUGH)):
        if number == 1:
            for run in runs.values():
                run.usages.clear()
        for name in list(runs)[::1 if number % 2 == 0 else -1]:
            if runs[name].failure:
                continue
            out = folder / name.replace(' ', '-')
            if number and name == HERE:  # its files are the yardstick's measure, and stay till after its turn
                out = folder / 'again'
            shutil.rmtree(out, ignore_errors=True)
            if name == FILES:
                out.mkdir()
                arguments = ['-I', '-S', 'benchmarks/move_files.py', out, *command.reads, '--', *written]
            else:
                arguments = [str(part).replace('{out}', str(out)) for part in command.scripts[name]]
            try:
                usage = run_process(arguments, folder / 'log')
            except Failure as failure:
                runs[name] = Runs(failure=str(failure))
                continue
            runs[name].usages.append(usage)
            spent += usage.wall
            if not number and name == HERE:
                written = sorted(path for path in out.rglob('*') if path.is_file())
        if not number and command.agree and runs[HERE].usages and runs[PLAIN].usages:
            try:
                command.agree(*(folder / name.replace(' ', '-') for name in (HERE, PLAIN)))
            except Disagreement as error:
                raise UserError(f'{command.name}: the plain script does something else: {error}; its time would mean '
                                'nothing, so correct it first') from None
        number += 1
    shutil.rmtree(folder)
    return runs
