"""Learn from cases with a truth how wide the intervals of a predicted deviation must be, and keep it in the model file.

    python util/miscs/calibrate.py -m results/training/gen_best.npz
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.inference.pretrained import is_published, model_path
from util.script import PROJECT, UserError, a_path, blaming, check_draws, check_there, note, progress, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Calibrate a network that predicts a standard deviation: by what it must be multiplied so that '
                    'intervals of 5, 10 ... 95 % hold their share of the head. The model file keeps that, in the place '
                    'of what it had; inference.py --interval uses it.')
    parser.add_argument('-m', '--model', type=a_path, required=True, help='model file (gen_best.npz); it is changed')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-c', '--config_path', type=a_path,
                        help='the experiment (default: the one in the model file)')
    parser.add_argument('--list', type=a_path, dest='list_path', metavar='LIST',
                        help="case list of people that the training has not seen (default: the config's val_list)")
    parser.add_argument('--ensemble', action='store_true',
                        help='calibrate what inference.py --ensemble predicts, and not what it does without')
    parser.add_argument('--samples', type=int, metavar='T',
                        help='calibrate what inference.py --samples T predicts, and not what it does without')
    parser.add_argument('-R', '--root', type=a_path, default=PROJECT,
                        help="folder that the config's and the list's relative paths start from (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    args.model = model_path(args.model)
    if is_published(args.model):
        raise UserError(f'{args.model}: it comes with the project, and stays as it was published; calibrate a copy')
    check_there(args.model, 'model file')
    check_there(args.config_path, 'config')
    check_there(args.list_path, 'case list')
    check_draws(args.samples)
    # Imported here: neither --help nor a wrong argument waits for them.
    from util.device import get_device
    from util.inference import experiment
    from util.inference.calibration import Calibration, save_calibration
    from util.inference.super_resolution import check_samples
    from util.lock import locked
    from util.reports.calibration_table import format_calibration
    from util.scores.intervals import fit

    device = get_device(args.gpu)
    with locked(args.model.resolve().parent, 'calibrate a copy in another folder'):
        config, net = experiment.open_model(args.model, args.config_path, args.root)
        net.to_device(device)
        with blaming(args.model):
            check_samples(net, args.samples)
        subjects = held_out(args, config)
        cases = [(number, case) for number, its in enumerate(subjects) for case in its]
        counts = [0] * len(subjects)
        for number, case in progress(cases, 'calibrate', 'case'):
            counts[number] = counts[number] + count(case, net, config, args)
        with blaming(args.model):
            fitted = fit(counts)
        save_calibration(args.model, Calibration.of(fitted, args.ensemble, args.samples))
    print(f'subjects: {len(subjects)}, cases: {len(cases)}\n\n{format_calibration(fitted)}\ncalibrated: {args.model}')


def held_out(args, config):
    """The cases to calibrate on, subject by subject; none of the training's.

    Returns:
        list of list of ~util.dataset.case_lists.Case: Each subject's.

    Raises:
        UserError: If the list cannot be read, a case has no HR volume, cannot be mirrored where that is asked for, or
            is of the list that the model was trained on or of a subject in it.
    """
    from util.dataset.case_lists import read_list
    from util.dataset.splits import by_subject, check_splits
    from util.inference.experiment import check_mirrored, read_training_list

    name, path = ('--list', args.list_path) if args.list_path else ('val_list', args.root / config.dataset.val_list)
    try:
        cases = read_list(path, args.root)
    except UserError as error:
        # lists that are made anew need not lie where those of this model's training did
        raise UserError(f'{name}: {error}{"" if args.list_path else "; or name a list with --list"}') from None
    for case in cases:
        if case.hr_path is None:
            raise UserError(f'{path}: case {case.name} has no HR volume; a calibration needs LR and HR')
    if args.ensemble:
        check_mirrored(cases)
    training_list, seen = read_training_list(args.model, config, args.root)
    if seen:
        check_splits({'training_list': training_list, name: path.absolute()}, args.root)
    else:
        note(f'{training_list}: no such case list, or its volumes are not there, so that it is not known whether the '
             'training has seen these cases')
    return by_subject(cases)


def count(case, net, config, args):
    """How many of a case's head voxels err by how much of their deviation (`util.scores.intervals.ratio_counts`).

    Returns:
        numpy.ndarray: int64, (bins,).

    Raises:
        UserError: If the pair cannot be read or super-resolved, the network predicts no deviation, or HR has no head.
    """
    from util.dataset.pairs import read_pair_to_score
    from util.inference.super_resolution import moved, super_resolve
    from util.scores.intervals import ratio_counts
    from util.volumes.head_mask import head_mask

    lr, hr, sampling = read_pair_to_score(case, config)
    with blaming(case.lr_path):
        sr = super_resolve(net, lr, config.intensity_scaling, args.ensemble, args.samples)
    if sr.deviation is None:
        raise UserError(f'{args.model}: this network predicts no deviation, so there is nothing to calibrate; '
                        'configs/x4_uncertain.yml and x4_deep_uncertain.yml train one that does')
    sr = moved(sr, case, lr, net.sampling, sampling)
    with blaming(case.hr_path):
        head = head_mask(hr.array)
    return ratio_counts(hr.array, sr.mean.array, sr.deviation.array, head)


if __name__ == '__main__':
    run(main)
