"""Super-resolve LR volumes with a trained network, and score them where the HR volume is known.

    python inference.py -g 0 -m results/training/gen_iter_100000.npz
"""
import argparse
from pathlib import Path

import numpy
from tqdm import tqdm

from util.config_files import load_config, read_experiment
from util.dataset.case_lists import Case, read_list
from util.dataset.pairs import read_pair
from util.device import get_device
from util.inference.model_file import load_network
from util.inference.network import build_network, check_channels, check_code_of_model
from util.inference.super_resolution import super_resolve
from util.reports.figures import save_case_figure
from util.reports.score_table import format_table, save_csv
from util.scores.metrics import score_images
from util.script import PROJECT, UserError, blaming, run
from util.volumes.intensity import like_input
from util.volumes.interpolation import METHODS, upsample
from util.volumes.volume import Volume, read_volume, write_volume

# What the network was trained for: a model file's own values hold, and a config that says otherwise is refused.
TRAINED_FOR = ('upsampling_rate', 'degradation', 'models', 'intensity_scaling')


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description='Super-resolve LR volumes; score them where the HR volume is known.')
    parser.add_argument('-m', '--model', type=Path, required=True, help='model file (gen_iter_N.npz)')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-c', '--config_path', type=Path,
                        help='the experiment (default: the one in the model file; a bare file, such as the '
                             "reference's, has none: configs/base.yml)")
    parser.add_argument('-o', '--out', type=Path, default=PROJECT / 'results/inference',
                        help='folder of the results (default: results/inference)')
    parser.add_argument('-i', '--input', type=Path, nargs='+', metavar='LR',
                        help="LR volumes to super-resolve, instead of the config's test list")
    parser.add_argument('--ensemble', action='store_true',
                        help='mean over the eight mirrorings of each volume: a little better, eight times the time')
    parser.add_argument('--like-input', action='store_true',
                        help="write, and score, volumes in the LR volume's range, rounded if that is of an integer type"
                             ' (default: float32, as the network gives them)')
    parser.add_argument('-R', '--root', type=Path, default=PROJECT,
                        help="folder that the config's and the list's relative paths start from (default: the project)")
    return parser.parse_args(argv)


def choose_config(model, config_path, root):
    """The experiment that a model file is used by: its own, or the user's where that is the same in what matters."""
    trained = read_experiment(model)
    if config_path is None and trained is not None:
        check_code_of_model(trained, model, root)
        return trained
    config = load_config(config_path or PROJECT / 'configs/base.yml')
    for key in TRAINED_FOR if trained is not None else ():
        if getattr(config, key) != getattr(trained, key):
            raise UserError(f'{config_path}: {key} is not what {model} was trained for: {getattr(config, key)} against '
                            f'{getattr(trained, key)}; leave -c out to use the model\'s own config')
    return config


def choose_cases(args, config):
    """The cases to super-resolve: the volumes of the command line, without HR, or the test list's."""
    if args.input:
        cases = [Case(path.name.split('.')[0], path, None) for path in args.input]
    else:
        with blaming(f'{args.config_path or args.model}: dataset.test_list'):
            cases = read_list(args.root / config.dataset.test_list, args.root)
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise UserError(f'two volumes would be written under one name: {", ".join(sorted(names))}; run them one by one')
    return cases


def score_case(case, lr, sr, hr, sampling, out):
    """Score a case beside the interpolations of its LR volume, and save its picture.

    Returns:
        dict: method -> {metric: value}.
    """
    interpolated = {method: upsample(lr.array, sampling, method) for method in METHODS}
    save_case_figure(out / f'{case.name}.png', case.name, lr.array, interpolated['linear'], sr, hr.array, hr.spacing,
                     sampling)
    return score_images(hr.array, {'network': sr, **interpolated})


def main(argv=None):
    """Run the script with a command line (default: the process's); returns the exit code."""
    args = parse_arguments(argv)
    config = choose_config(args.model, args.config_path, args.root)
    device = get_device(args.gpu)
    net = build_network(config, args.root)
    load_network(args.model, net)
    net.to_device(device)

    rows = {}
    for case in tqdm(choose_cases(args, config), desc='inference', unit='case', disable=None):
        lr, hr = read_pair(case, config) if case.hr_path else (read_volume(case.lr_path, numpy.float32), None)
        check_channels(net, lr.array, case.lr_path)
        with blaming(case.lr_path):
            mean, deviation = super_resolve(net, lr, config.intensity_scaling, args.ensemble)
        sr = like_input(mean.array, read_volume(case.lr_path).array) if args.like_input else mean.array
        write_volume(args.out / f'{case.name}.mhd', Volume(sr, mean.spacing, mean.origin, mean.direction))
        if deviation is not None:
            write_volume(args.out / f'{case.name}_deviation.mhd', deviation)
        if hr is not None:
            rows[case.name] = score_case(case, lr, sr, hr, net.sampling, args.out)

    if rows:
        save_csv(args.out / 'scores.csv', rows)
        print(format_table(rows))
        print(f'scores: {args.out / "scores.csv"}\npictures: {args.out}/*.png')
    print(f'volumes: {args.out}/*.mhd')
    return 0


if __name__ == '__main__':
    run(main)
