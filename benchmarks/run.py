"""Time this project beside PyTorch, ONNX Runtime, OpenVINO and stock Chainer, in one run: ``make bench``.

    python -m benchmarks.run -g -1 --out results/benchmark

Writes benchmark.md and growth.png into the folder. benchmarks/measure.py says how the network is timed,
benchmarks/processes.py how whole commands are, and benchmarks/limits.py what they could take at best.
"""
import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import cases, cohort, growth, report
from benchmarks.commands import commands
from benchmarks.found import Found
from benchmarks.implementations import EAGER, PROJECT, names_of
from benchmarks.measure import TURN, measure_in_children, measure_loop
from benchmarks.processes import measure_command
from util.device import get_device
from util.files import write_text
from util.script import PROJECT as FOLDER
from util.script import UserError, run


def parse_arguments(arguments):
    """Read the command line.

    Args:
        arguments (list of str or None): What follows the command; None: that of this process.

    Returns:
        argparse.Namespace: ``gpu``, ``out``, ``repeats`` and ``quick``.
    """
    parser = argparse.ArgumentParser(description='Time this project beside others on the same work.')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-o', '--out', type=Path, default=FOLDER / 'results/benchmark',
                        help='folder of the table and the plot (default: results/benchmark)')
    parser.add_argument('--repeats', type=int, default=7, help='rounds of a case (default: 7)')
    parser.add_argument('--quick', action='store_true', help='tiny cases, to see that the benchmark works')
    return parser.parse_args(arguments)


def _say(text):
    print(text, file=sys.stderr, flush=True)


def measure_network(args, table):
    """Time the cases of the table.

    Args:
        args (argparse.Namespace): From `parse_arguments`.
        table (sequence of Case): The cases.

    Returns:
        list of (Case, dict): For each case a Result per implementation.
    """
    measured = []
    for case in table:
        _say(f'{case.name} ...')
        names, turn = names_of(case, args.gpu), 0 if args.quick else TURN
        results, = measure_in_children(names, [case], args.gpu, args.repeats, turn)
        measured.append((case, results))
        for name, result in results.items():
            _say(f'  {name}: ' + (f'{1e3 * result.median:.1f} ms' if result.seconds else result.failure))
    return measured


def measure_commands(args):
    """Time whole commands, on data that is made on the spot; none on a GPU.

    Args:
        args (argparse.Namespace): From `parse_arguments`.

    Returns:
        list of (Command, dict): For each command its Runs.
    """
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        if args.gpu < 0:
            _say('data for whole commands ...')
            folder = Path(folder).resolve()
            made = cohort.make(folder, args.quick)
            for command in commands(folder, made):
                _say(f'{command.name} ...')
                (folder / 'runs').mkdir()
                runs = measure_command(command, folder / 'runs', args.repeats)
                measured.append((command, runs))
                for name, run in runs.items():
                    _say(f'  {name}: ' + (f'{run.median("wall"):.2f} s' if run.usages else run.failure))
    return measured


def measure_growth(args, volumes, batches):
    """Time growing volumes and growing batches, for the plot.

    Args:
        args (argparse.Namespace): From `parse_arguments`.
        volumes (sequence of Case): Growing volumes.
        batches (sequence of Case): Growing batches.

    Returns:
        (list, list): (case, results) of the volumes and of the batches.
    """
    _say('growth with volume and batch ...')
    # The plot shows the memory of each volume, so each has processes of its own; of the batches it shows times alone.
    names, repeats, turn = [PROJECT, *EAGER], min(args.repeats, 3), 0 if args.quick else TURN
    of_volumes = [measure_in_children(names, [volume], args.gpu, repeats, turn)[0] for volume in volumes]
    of_batches = measure_in_children(names, batches, args.gpu, repeats, turn)
    return list(zip(volumes, of_volumes)), list(zip(batches, of_batches))


def main(arguments=None):
    """Time everything, print the report and write it.

    Args:
        arguments (list of str or None): Command line; None: that of this process.

    Raises:
        UserError: If there are no rounds, the system is not Linux, the GPU is not there, or results differ.
    """
    args = parse_arguments(arguments)
    if args.repeats < 1:
        raise UserError(f'--repeats {args.repeats}: at least one round is needed')
    if not sys.platform.startswith('linux'):
        raise UserError(f'the benchmark reads memory and processor from /proc, which {sys.platform} has not; run it on '
                        'Linux')
    get_device(args.gpu)  # so that a GPU that is not there is an error before anything runs
    table = cases.QUICK_CASES if args.quick else cases.CASES
    volumes = cases.QUICK_VOLUMES if args.quick else cases.GROWING_VOLUMES
    batches = cases.QUICK_BATCHES if args.quick else cases.GROWING_BATCHES

    load = os.getloadavg()[0]
    # PyTorch's compiler keeps what it makes. A folder of its own makes each run start anew and leave nothing behind.
    with tempfile.TemporaryDirectory() as cache:
        os.environ['TORCHINDUCTOR_CACHE_DIR'] = cache
        measured = measure_network(args, table)
        _say('an iteration with its patches ...')
        loop = measure_loop(args.gpu, *((4, 3) if args.quick else (16, 40)))
        of_volumes, of_batches = measure_growth(args, volumes, batches)
    found = Found(measured, measure_commands(args), loop, args.gpu, args.repeats, load)
    text = report.markdown(found)
    print(text)
    write_text(args.out / 'benchmark.md', text)
    growth.save(args.out / 'growth.png', of_volumes, of_batches, args.gpu)


if __name__ == '__main__':
    run(main)
