"""Super-resolve LR volumes with a trained network, and score them where the HR volume is known.

    python inference.py -g 0 -m results/training/gen_iter_100000.npz
"""
import argparse
import contextlib
import sys

from util.inference.pretrained import list_models, model_path
from util.mpiexec import hush, together
from util.script import (PROJECT, UserError, a_path, blaming, check_draws, check_jobs, check_there, importing, note,
                         progress, run)


class ListModels(argparse.Action):
    """Like --help: print and end, whatever else is asked for."""

    def __call__(self, parser, *_):
        print(list_models())
        parser.exit()


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description='Super-resolve LR volumes; score them where the HR volume is known.')
    parser.add_argument('-m', '--model', type=a_path, required=True,
                        help='model file (gen_iter_N.npz), or the name of one that comes with the project')
    parser.add_argument('--list-models', action=ListModels, nargs=0, help='say which models come with the project')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-c', '--config_path', type=a_path,
                        help='the experiment (default: the one in the model file; a bare file, such as the '
                             "reference's, has none: configs/base.yml)")
    parser.add_argument('-o', '--out', type=a_path,
                        help='folder of the results (default: results/inference); or, of one volume of -i, the file to '
                             'write: .nii.gz, .nii, .mgz, .mgh, .nrrd or .mhd')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('-i', '--input', type=a_path, nargs='+', metavar='LR',
                       help="LR volumes to super-resolve, instead of the config's test list: files, folders of them, "
                            'folders of a DICOM series each; NAME_x4 is written in the format of NAME')
    which.add_argument('--pairs', type=a_path, nargs=2, metavar=('LR_FOLDER', 'HR_FOLDER'),
                       help='score the volumes that have the same name in two folders, instead of the test list')
    which.add_argument('--bids', type=a_path, nargs=2, metavar=('DATASET', 'OUT'),
                       help='super-resolve the raw scans of a BIDS data set into a BIDS derivative, such as '
                            'DATASET/derivatives/sr; a result of the same scan, model and options is kept')
    parser.add_argument('--suffix', help='which scans of --bids (default: T1w)')
    parser.add_argument('--hr', type=a_path, nargs='+', metavar='HR',
                        help='the HR volumes of those of -i, in the same order, to score them')
    parser.add_argument('--ensemble', action='store_true',
                        help='mean over the eight mirrorings of each volume: a little better, seven times the time')
    parser.add_argument('--samples', type=int, metavar='T',
                        help='draw T networks, such as 32, from one with uncertain weights: their mean, and how sure it'
                             ' is in all, from the LR (intrinsic) and from the training (parameter)')
    parser.add_argument('--consistent', metavar='DEGRADATION',
                        help='make each result agree with its scan, which by what you know was made so: block_mean, '
                             "gaussian or '{name: gaussian, fwhm: 0.8}', kspace, bspline, zero_filled")
    parser.add_argument('--like-input', action='store_true',
                        help="write, and score, volumes in the LR volume's range, rounded if that is of an integer type"
                             ' (default: float32, as the network gives them)')
    parser.add_argument('--interval', type=int, choices=range(5, 100, 5), metavar='PERCENT',
                        help='also write NAME_interval: how far below and above NAME the truth lies in as many '
                             'percent of the head, 5, 10 ... 95; of a model that calibrate.py has calibrated')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='N volumes at a time, each in a process with its share of the cores, and its own memory')
    parser.add_argument('-R', '--root', type=a_path, default=PROJECT,
                        help="folder that the config's and the list's relative paths start from (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's); returns the exit code."""
    hush()
    args = parse_arguments(argv)
    # Weights are not exchanged, so GPUs need no NCCL; the lock is let go when all ranks have ended.
    with contextlib.ExitStack() as last, together(-1) as ranks:
        return infer(args, ranks, last)


def infer(args, ranks, last):
    """Do the cases of the command line; returns the exit code.

    Args:
        ranks (~util.ranks.OneProcess): What shares the cases out; of the first alone the tables are, and the words.
        last (contextlib.ExitStack): Takes the lock of the folder.

    Raises:
        UserError: If the command line, the model or the cases cannot be carried out; what fails of a single case is
            told and costs that case alone.
    """
    check_arguments(args, ranks)
    # Imported here: neither --help nor a wrong argument waits for them.
    with importing():
        from util.inference import derivative, experiment, sidecars
        from util.inference.case_work import Work, outcomes, remove_strays
        from util.inference.tally import Tally
        from util.lock import locked
        from util.versions import commit

    config, net, manner = open_network(args, ranks)
    out, cases, refusals = choose_cases(args, config, net)
    experiment.check_results(out, cases)
    # asking git takes a moment
    version = commit() if args.bids or any(case.suffix != '.mhd' for case in cases) else None
    manner = manner._replace(origin=f'{manner.origin} {version or ""}'.strip())
    if args.ensemble:
        experiment.check_mirrored(cases)
    provenance = args.bids and sidecars.Provenance(args.bids[0], sidecars.facts(args.model, config, manner, version))
    count = len(cases) + len(refusals)
    if ranks.is_first:
        last.enter_context(locked(out))
        remove_strays(out, cases)
        if args.bids:
            cases = derivative.begin(out, cases, provenance)
    cases = ranks.of_first(cases)
    tally, work = Tally(out, cases), Work(out, config, args.root, manner, provenance)
    with contextlib.closing(outcomes(work, net, cases, args.jobs, ranks)) as done:
        for number, outcome in progress(done, 'inference', 'case', len(cases)):
            tally.add(number, outcome)
    failures, no_page = refusals + tally.failures, []
    if tally.rows:
        from util.reports.report import try_report
        tally.save()  # another process may have taken away a table, for an older one with the scores of its case
        no_page = try_report(out, args.model, config, cases, tally.samplings, tally.rows, tally.unsure, tally.unlike)
    return ranks.of_first(report(out, tally, failures, no_page, count, count - len(refusals) - len(cases)))


def check_arguments(args, ranks):
    """Refuse what is wrong with the command line by itself; sets ``args.model`` to a file's path, and ``args.out``.

    Raises:
        UserError: If a file is not there, or options do not go together.
    """
    args.model = model_path(args.model)
    check_there(args.model, 'model file')
    check_there(args.config_path, 'config')
    check_draws(args.samples)
    check_jobs(args.jobs, args.gpu, ranks.launcher)
    if args.hr and not args.input:
        raise UserError('--hr names the HR volumes of the LR volumes that -i names, and there is no -i')
    choose_out(args)


def open_network(args, ranks):
    """The model file's network on its device, and how it is to be used.

    Returns:
        (~util.config.Config, ~chainer.Chain, ~util.inference.case_results.Manner): The Manner's ``origin`` lacks
        the commit.

    Raises:
        UserError: If the model cannot be read, or cannot do what is asked for.
    """
    with importing():
        from models.network import BayesianNetwork
        from util.device import get_device
        from util.files import NAME
        from util.inference import experiment
        from util.inference.calibration import choose_calibration
        from util.inference.case_results import Manner
        from util.inference.model_file import read_lie, read_looks
        from util.inference.super_resolution import check_samples

    device = get_device(ranks.gpu(args.gpu))
    config, net = experiment.open_model(args.model, args.config_path, args.root)
    net.to_device(device)
    with blaming(args.model):
        check_samples(net, args.samples)
    if isinstance(net, BayesianNetwork) and args.samples is None:
        note(f'{args.model}: its weights are uncertain, which the deviation says nothing of without --samples 32')
    consistent = None
    if args.consistent is not None:
        consistent = experiment.parse_degradation('--consistent', args.consistent, config)
    if consistent and args.interval is not None:
        raise UserError('--interval: the intervals that calibrate.py learns hold without --consistent; leave one out')
    calibration = None if consistent else choose_calibration(args.model, args.interval is not None, args.ensemble,
                                                             args.samples)
    return config, net, Manner(config.intensity_scaling, read_lie(args.model), read_looks(args.model, net.in_channels),
                               args.ensemble, args.samples, consistent, args.like_input,
                               calibration and calibration.factors, args.interval, f'{NAME} {args.model.name}')


def choose_out(args):
    """Where the results go, for --bids as for the rest: sets ``args.out``.

    Raises:
        UserError: If --suffix or -o does not go with the rest, or --bids cannot write there.
    """
    if args.suffix is not None and not args.bids:
        raise UserError(f'--suffix {args.suffix}: the suffix of the scans that --bids takes, and there is no --bids')
    if args.suffix is not None and not (args.suffix.isascii() and args.suffix.isalnum()):
        raise UserError(f'--suffix {args.suffix}: letters and digits are wanted, such as T2w')
    if args.bids:
        from util.inference.derivative import check_out
        if args.out:
            raise UserError(f'-o {args.out}: --bids names the folder of the results itself; leave -o out')
        args.out = args.bids[1]
        check_out(*args.bids)
    args.out = args.out or PROJECT / 'results/inference'


def choose_cases(args, config, net):
    """The folder of the results; the cases of the command line, or of the config's test list; and what is refused.

    Returns:
        (Path, list of ~util.dataset.case_lists.Case, list of str): The last has a line for each scan that is refused.

    Raises:
        UserError: If the volumes or the list cannot be had, or -o does not go with them.
    """
    from util.inference import derivative, experiment, inputs

    if args.bids:
        return args.out, *derivative.cases_of(args.bids[0], args.suffix or 'T1w')
    if args.pairs:
        cases = inputs.pairs_of_folders(*args.pairs, args.out)
    elif args.hr:
        cases = inputs.pairs(args.input, args.hr)
    elif args.input:
        cases = inputs.scans(args.input, net.sampling.rate, args.out)
    else:
        try:
            cases = experiment.listed_cases(config, args.config_path or args.model, args.root)
        except UserError as error:
            raise UserError(f'{error}; or name volumes with -i') from None
        tell_of_seen(args, config, cases)
    return *inputs.file_of_results(args.out, cases), []


def tell_of_seen(args, config, cases):
    """Say which cases of the test list the training has seen, such as after lists were made anew."""
    from util.dataset.splits import shared
    from util.inference.experiment import read_training_list

    training_list, seen = read_training_list(args.model, config, args.root)
    both = []
    with contextlib.suppress(UserError):  # what is said of the training's pairs is damaged: no matter here
        both = shared(cases, seen)
    if both:
        note(f'{training_list}: the training has seen cases of the test list, whose scores are not those of new scans: '
             f'{", ".join(case.name for case in both)}')


def report(out, tally, failures, no_page, count, kept):
    """Print the scores, and say what could not be done; returns the exit code.

    Args:
        out (Path): Folder of the results.
        tally (~util.inference.tally.Tally): What came of the cases.
        failures (list of str): What could not be done.
        no_page (list of str): And why there is no new report.html; none where there is.
        count (int): Of all cases.
        kept (int): Those whose results were there already, and are right.
    """
    done = tally.done
    if tally.rows:
        from util.reports.score_table import format_table
        print(format_table(tally.rows))
        print(f'scores: {out / "scores.csv"}')
        if any((out / f'{name}.png').exists() for name in tally.rows):
            print(f'pictures: {out}/*.png')
        if not no_page:
            print(f'to look at: {out / "report.html"}')
    if tally.unsure:
        from util.reports import uncertainty_table
        print(f'\n{uncertainty_table.format_table(tally.unsure)}\nscores of the uncertainty: {out / "uncertainty.csv"}')
    if done:
        names = {case.file() if len(done) == 1 else f'{"*/" * case.name.count("/")}*{case.suffix}' for case in done}
        print('volumes: ' + ', '.join(str(out / name) for name in sorted(names)))
    if kept:
        print(f'{kept} results were in {out} already, of the same scans, model and options')
    for name, difference in tally.unlike.items():
        note(f'{name} is unlike the scans of the training, so the network may be wrong, and sure of it: {difference}')
    failures = failures + no_page
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    if not failures:
        return 0
    if done or kept:
        print(f'{len(done) + kept} of {count} volumes are done', file=sys.stderr)
    return 1 if done or kept else 2


if __name__ == '__main__':
    run(main)
