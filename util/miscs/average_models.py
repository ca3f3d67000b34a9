"""Average the weights of models of one origin, such as one before and after it was trained on scans of another scanner.

    python util/miscs/average_models.py -m x4_t1w results/training/gen_iter_2000.npz -o averaged.npz
    python util/miscs/average_models.py -m averaged.npz --half -o half.npz
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.inference.pretrained import model_path
from util.script import PROJECT, UserError, a_path, blaming, check_there, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Average the weights of models, of which each was trained on from the one before or all from the '
                    'same. The result keeps more of what the first could do than the last has (Wortsman et al. 2022). '
                    'Of networks that were trained each from its own start the average is of no use.')
    parser.add_argument('-m', '--models', type=a_path, nargs='+', metavar='MODEL', required=True,
                        help='model files, or names of models that come with the project; the experiment, and what the '
                             "training's scans look like, are the last one's")
    parser.add_argument('-o', '--out', type=a_path, metavar='FILE', required=True, help='the model file to write, .npz')
    parser.add_argument('--half', action='store_true',
                        help='write the weights in half precision (float16), which takes half the disk, of one model '
                             'as well. A network computes with float32 all the same. calibrate.py comes after it')
    parser.add_argument('-R', '--root', type=a_path, default=PROJECT,
                        help="folder where a network's own code may lie (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    models = [model_path(model) for model in args.models]
    for model in models:
        check_there(model, 'model file')
    if len(models) < 2 and not args.half:
        raise UserError(f'-m {args.models[0]}: name two models at least, or --half')
    if args.out.suffix != '.npz':
        raise UserError(f'-o {args.out}: name a file that ends in .npz')
    if args.out.resolve() in {model.resolve() for model in models}:
        raise UserError(f'-o {args.out}: it is one of the models, which would be lost; name another file')
    if args.out.exists():
        raise UserError(f'-o {args.out}: there already; name another file, or remove that one')
    # Imported here: neither --help nor a wrong argument waits for them.
    from util.config_files import read_experiment
    from util.inference.experiment import choose_config, differences
    from util.inference.model_file import arrays_of, fill, load_network, read_lie, read_looks, save_network
    from util.inference.network import build_network

    *others, last = models
    config = choose_config(last, None, args.root)
    for model in others:
        for key, theirs, its in differences(choose_config(model, None, args.root), config):
            bare = [f' (of configs/base.yml, since {one} says nothing of its experiment)' for one in (model, last)
                    if read_experiment(one) is None]
            raise UserError(f'{model}: {key} is not that of {last}: {theirs} against {its}{"".join(bare)}')
    with blaming(last):
        net = build_network(config, args.root)
    sums = {}
    for model in models:
        load_network(model, net)
        for name, array in arrays_of(net).items():
            sums[name] = sums.get(name, 0) + array.astype('f8')  # a sum in float32 would round each time
    fill(net, {name: (total / len(models)).astype('f4') for name, total in sums.items()})
    save_network(args.out, net, config.to_yaml(), read_lie(last), read_looks(last, net.in_channels), args.half)
    what = f'mean of {len(models)} models' if len(models) > 1 else args.models[0]
    print(f'{what}{" in half precision" * args.half}: {args.out}')


if __name__ == '__main__':
    run(main)
