"""Train a network on pairs of LR and HR volumes, as a YAML file says.

    python training.py -g 0 -c configs/base.yml -o results/training
"""
import argparse
import functools
import sys
from pathlib import Path

import numpy

from util.config_files import load_config
from util.dataset.pairs import load_pairs
from util.device import get_device
from util.inference.model_file import load_network
from util.inference.network import build_network, check_channels
from util.script import PROJECT, UserError, blaming, run
from util.training.archive import archive_run
from util.training.snapshot import load_snapshot
from util.training.trainer import make_trainer


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description='Train a 3D super-resolution network as a YAML file says.')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-c', '--config_path', type=Path, default=PROJECT / 'configs/base.yml',
                        help='the experiment (default: configs/base.yml)')
    parser.add_argument('--set', nargs='+', action='extend', default=[], metavar='KEY=VALUE',
                        help='change keys of the experiment, such as adam.alpha=1e-3')
    parser.add_argument('-o', '--out', type=Path, default=PROJECT / 'results/training',
                        help='folder of the run (default: results/training)')
    parser.add_argument('-m', '--model', type=Path, help='model file to start from, instead of random weights')
    parser.add_argument('--resume', type=Path, help='snapshot_iter_N.npz of a run of this config, to go on from')
    parser.add_argument('-R', '--root', type=Path, default=PROJECT,
                        help="folder that the config's and the lists' relative paths start from (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's); returns the exit code."""
    args = parse_arguments(argv)
    config = load_config(args.config_path, args.set)
    device = get_device(args.gpu)
    if (args.out / 'log').exists() and not args.resume:
        raise UserError(f'{args.out} holds a run already; name another folder with -o, or go on with --resume '
                        f'{args.out}/snapshot_iter_N.npz')

    numpy.random.seed(config.seed)  # the initial weights; they are drawn on the CPU and so are the same on every device
    net = build_network(config, args.root)
    if args.model:
        load_network(args.model, net)
    net.to_device(device)

    pairs = {}
    for key in ('training_list', 'val_list'):
        with blaming(f'{args.config_path}: dataset.{key}'):
            pairs[key] = load_pairs(args.root / getattr(config.dataset, key), config, args.root,
                                    functools.partial(check_channels, net))
    with blaming(args.config_path):
        trainer = make_trainer(config, net, pairs['training_list'], pairs['val_list'], args.out)

    if args.resume:
        load_snapshot(args.resume, trainer)
        if trainer.updater.iteration >= config.iteration:
            raise UserError(f'{args.resume}: iteration {trainer.updater.iteration} is the last already; to go on, '
                            'raise iteration in the config')
    archive_run(args.out, config, args.root)
    with trainer.stop_trigger.heeding_signals():
        trainer.run(show_loop_exception_msg=False)  # whatever it is, it is told once: by `run` or by Python

    done, best = trainer.updater.iteration, trainer.get_extension('best')
    if done < config.iteration:
        trainer.get_extension('keep')(trainer)
        print(f'interrupted; to go on, add --resume {args.out}/snapshot_iter_{done}.npz', file=sys.stderr)
        return 130
    print(f'model: {args.out}/gen_iter_{done}.npz')
    print(f'best on validation: {best.path} ({best.psnr:.2f} dB at iteration {best.iteration})')
    return 0


if __name__ == '__main__':
    run(main)
