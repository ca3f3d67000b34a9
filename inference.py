"""Super-resolve LR volumes with a trained network, and score them where the HR volume is known.

    python inference.py -g 0 -m results/training/gen_iter_100000.npz
"""
import argparse
import sys
from pathlib import Path

from util.inference.pretrained import list_models, model_path
from util.script import PROJECT, UserError, check_draws, check_there, note, progress, run


class ListModels(argparse.Action):
    """Like --help: print and end, whatever else is asked for."""

    def __call__(self, parser, *_):
        print(list_models())
        parser.exit()


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description='Super-resolve LR volumes; score them where the HR volume is known.')
    parser.add_argument('-m', '--model', type=Path, required=True,
                        help='model file (gen_iter_N.npz), or the name of one that comes with the project')
    parser.add_argument('--list-models', action=ListModels, nargs=0, help='say which models come with the project')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-c', '--config_path', type=Path,
                        help='the experiment (default: the one in the model file; a bare file, such as the '
                             "reference's, has none: configs/base.yml)")
    parser.add_argument('-o', '--out', type=Path, default=PROJECT / 'results/inference',
                        help='folder of the results (default: results/inference); or, of one volume of -i, the file to '
                             'write: .nii.gz, .nii, .mgz, .mgh, .nrrd or .mhd')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('-i', '--input', type=Path, nargs='+', metavar='LR',
                       help="LR volumes to super-resolve, instead of the config's test list: files, folders of them, "
                            'folders of a DICOM series each; NAME_x4 is written in the format of NAME')
    which.add_argument('--pairs', type=Path, nargs=2, metavar=('LR_FOLDER', 'HR_FOLDER'),
                       help='score the volumes that have the same name in two folders, instead of the test list')
    parser.add_argument('--hr', type=Path, nargs='+', metavar='HR',
                        help='the HR volumes of those of -i, in the same order, to score them')
    parser.add_argument('--ensemble', action='store_true',
                        help='mean over the eight mirrorings of each volume: a little better, seven times the time')
    parser.add_argument('--samples', type=int, metavar='T',
                        help='draw T networks, such as 32, from one with uncertain weights: their mean, and how sure it'
                             ' is in all, from the LR (intrinsic) and from the training (parameter)')
    parser.add_argument('--like-input', action='store_true',
                        help="write, and score, volumes in the LR volume's range, rounded if that is of an integer type"
                             ' (default: float32, as the network gives them)')
    parser.add_argument('--interval', type=int, choices=range(5, 100, 5), metavar='PERCENT',
                        help='also write NAME_interval: how far below and above NAME the truth lies in as many '
                             'percent of the head, 5, 10 ... 95; of a model that calibrate.py has calibrated')
    parser.add_argument('-R', '--root', type=Path, default=PROJECT,
                        help="folder that the config's and the list's relative paths start from (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's); returns the exit code."""
    args = parse_arguments(argv)
    args.model = model_path(args.model)
    check_there(args.model, 'model file')
    check_there(args.config_path, 'config')
    check_draws(args.samples)
    if args.hr and not args.input:
        raise UserError('--hr names the HR volumes of the LR volumes that -i names, and there is no -i')
    # Imported here: neither --help nor a wrong argument waits for them.
    import numpy
    from models.network import BayesianNetwork
    from util.dataset.pairs import read_pair
    from util.device import get_device
    from util.inference import experiment, inputs
    from util.inference.calibration import choose_calibration
    from util.inference.case_results import Manner, forget_scores, score_case, super_resolve_case
    from util.inference.model_file import load_network, read_lie, read_looks
    from util.inference.network import build_network
    from util.inference.super_resolution import check_samples
    from util.lock import locked
    from util.versions import commit
    from util.volumes.reading import read_volume
    from util.volumes.writing import remove_strays

    config = experiment.choose_config(args.model, args.config_path, args.root)
    device = get_device(args.gpu)
    net = build_network(config, args.root)
    load_network(args.model, net)
    net.to_device(device)
    check_samples(net, args.samples)
    if isinstance(net, BayesianNetwork) and args.samples is None:
        note(f'{args.model}: its weights are uncertain, which the deviation says nothing of without --samples 32')
    calibration = choose_calibration(args.model, args.interval is not None, args.ensemble, args.samples)
    out, cases = inputs.file_of_results(args.out, choose_cases(args, config, net))
    experiment.check_results(out, cases)
    origin = (f'3D-ESPCN {args.model.name} {commit() or ""}'.strip() if any(case.suffix != '.mhd' for case in cases)
              else '')  # asking git takes a moment
    manner = Manner(config.intensity_scaling, read_lie(args.model), read_looks(args.model, net.in_channels),
                    args.ensemble, args.samples, args.like_input, calibration and calibration.factors, args.interval,
                    origin)
    if args.ensemble:
        experiment.check_mirrored(cases)
    with locked(out):
        remove_strays(out)
        rows, unsure, unlike, failures, done = {}, {}, {}, [], []
        for case in progress(cases, 'inference', 'case'):
            try:
                lr, hr = read_pair(case, config) if case.hr_path else (read_volume(case.lr_path, numpy.float32), None)
                sr, difference = super_resolve_case(out, case, lr, net, manner)
            except (UserError, OSError, MemoryError) as error:  # the other cases are done all the same
                failures.append(str(error) if isinstance(error, UserError) else f'{case.name}: {error!r}')
                continue
            done.append(case)
            if difference:
                unlike[case.lr_path] = difference
            if out == args.out or (out / 'scores.csv').exists():  # elsewhere may lie pictures of the user's own
                forget_scores(out, case, {'scores.csv': rows, 'uncertainty.csv': unsure})
            if hr is not None:
                from util.reports import score_table, uncertainty_table
                scored, uncertainty, failed = score_case(out, case, lr, sr, hr, net.sampling, manner.factors)
                failures += failed
                if scored:
                    rows[case.name] = scored
                    score_table.save_csv(out / 'scores.csv', rows)  # each time: an interruption loses none
                if uncertainty:
                    unsure[case.name] = uncertainty
                    uncertainty_table.save_csv(out / 'uncertainty.csv', unsure)
        if rows:
            from util.reports.report import try_report
            failures += try_report(out, args.model, config, cases, rows, unsure, unlike)
        return report(out, rows, unsure, unlike, failures, done, len(cases))


def choose_cases(args, config, net):
    """The cases that the command line names, or those of the config's test list."""
    from util.inference import experiment, inputs

    if args.pairs:
        return inputs.pairs_of_folders(*args.pairs)
    if args.hr:
        return inputs.pairs(args.input, args.hr)
    if args.input:
        return inputs.scans(args.input, net.sampling.rate, args.out)
    return experiment.listed_cases(config, args.config_path or args.model, args.root)


def report(out, rows, unsure, unlike, failures, done, count):
    """Print the scores, and say what could not be done; returns the exit code."""
    if rows:
        from util.reports.score_table import format_table
        print(format_table(rows))
        print(f'scores: {out / "scores.csv"}\npictures: {out}/*.png\nto look at: {out / "report.html"}')
    if unsure:
        from util.reports import uncertainty_table
        print(f'\n{uncertainty_table.format_table(unsure)}\nscores of the uncertainty: {out / "uncertainty.csv"}')
    if done:
        names = {f'{case.name if len(done) == 1 else "*"}{case.suffix}' for case in done}
        print('volumes: ' + ', '.join(str(out / name) for name in sorted(names)))
    for name, difference in unlike.items():
        note(f'{name} is unlike the scans of the training, so the network may be wrong, and sure of it: {difference}')
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    if not failures:
        return 0
    if done:
        print(f'{len(done)} of {count} volumes are done', file=sys.stderr)
    return 1 if done else 2


if __name__ == '__main__':
    run(main)
