"""Super-resolve LR volumes with a trained network, and score them where the HR volume is known.

    python inference.py -g 0 -m results/training/gen_iter_100000.npz
"""
import argparse
from pathlib import Path

import numpy
from tqdm import tqdm

from util.case_lists import Case, read_list
from util.cases import read_pair
from util.config import load_config
from util.degradation import centre_offset
from util.device import get_device
from util.ensemble import reconstruct_ensemble
from util.figures import save_case_figure
from util.geometry import hr_volume_geometry
from util.intensity import intensity_scale, like_input
from util.interpolation import METHODS, upsample
from util.metrics import score_images
from util.network import build_network, load_network, read_experiment
from util.reconstruction import reconstruct
from util.score_table import format_table, save_csv
from util.script import PROJECT, UserError, blaming, run
from util.volume import Volume, read_volume, write_volume

# What the network was trained for: a model file's own values hold, and a config that says otherwise is refused.
TRAINED_FOR = ('upsampling_rate', 'degradation', 'models', 'intensity_scaling')


def parse_arguments():
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
    return parser.parse_args()


def choose_config(model, config_path):
    trained = read_experiment(model)
    if trained is None:
        return load_config(config_path or PROJECT / 'configs/base.yml')
    if config_path is None:
        return trained
    config = load_config(config_path)
    for key in TRAINED_FOR:
        if getattr(config, key) != getattr(trained, key):
            raise UserError(f'{config_path}: {key} is not what {model} was trained for: {getattr(config, key)} against '
                            f'{getattr(trained, key)}; leave -c out to use the model\'s own config')
    return config


def main():
    args = parse_arguments()
    config = choose_config(args.model, args.config_path)
    device = get_device(args.gpu)
    net = build_network(config)
    load_network(args.model, net)
    net.to_device(device)

    rate = config.upsampling_rate
    offset = centre_offset(config.degradation.name, rate)
    if args.input:
        cases = [Case(path.name.split('.')[0], path, None) for path in args.input]
    else:
        with blaming(f'{args.config_path or args.model}: dataset.test_list'):
            cases = read_list(args.root / config.dataset.test_list, args.root)
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise UserError(f'two volumes would be written under one name: {", ".join(sorted(names))}; run them one by one')

    rows = {}
    for case in tqdm(cases, desc='inference', unit='case', disable=None):
        if case.hr_path is None:
            volume, hr = read_volume(case.lr_path, numpy.float32), None
        else:
            volume, hr = read_pair(case, config)
        lr = volume.array
        scale = numpy.float32(intensity_scale(lr, config.intensity_scaling))
        sr = (reconstruct_ensemble(net, lr / scale, offset) if args.ensemble else reconstruct(net, lr / scale)) * scale
        if args.like_input:
            sr = like_input(sr, read_volume(case.lr_path).array)
        write_volume(args.out / f'{case.name}.mhd', Volume(sr, *hr_volume_geometry(volume, rate, offset)))
        if hr is None:
            continue
        interpolated = {method: upsample(lr, rate, offset, method) for method in METHODS}
        rows[case.name] = score_images(hr.array, {'network': sr, **interpolated})
        save_case_figure(args.out / f'{case.name}.png', case.name, lr, interpolated['linear'], sr, hr.array, hr.spacing,
                         offset)

    if rows:
        save_csv(args.out / 'scores.csv', rows)
        print(format_table(rows))
        print(f'scores: {args.out / "scores.csv"}\npictures: {args.out}/*.png')
    print(f'volumes: {args.out}/*.mhd')


if __name__ == '__main__':
    run(main)
