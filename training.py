"""Train a network on pairs of LR and HR volumes, as a YAML file says.

    python training.py -g 0 -c configs/base.yml -o results/training
"""
import argparse
import contextlib
import sys
from pathlib import Path

from util.inference.pretrained import model_path
from util.mpiexec import COMMUNICATORS, hush, together
from util.script import PROJECT, UserError, a_path, blaming, check_there, run, typed

NEWEST = 'newest'  # --resume without a name


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description='Train a 3D super-resolution network as a YAML file says.')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('--communicator', choices=COMMUNICATORS,
                        help='how the processes of mpiexec exchange gradients (default: pure_nccl on GPUs, of which '
                             'each takes its own, from -g on; naive on the CPU)')
    parser.add_argument('-c', '--config_path', type=a_path, default=PROJECT / 'configs/base.yml',
                        help='the experiment (default: configs/base.yml)')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        help='change a key of the experiment, such as adam.alpha=1e-3; may be repeated')
    parser.add_argument('-o', '--out', type=a_path, default=PROJECT / 'results/training',
                        help='folder of the run (default: results/training)')
    parser.add_argument('-m', '--model', type=a_path,
                        help='model file to start from, instead of random weights, or the name of one that comes with '
                             'the project')
    parser.add_argument('--resume', nargs='?', const=NEWEST, metavar='SNAPSHOT',
                        help='go on from a snapshot_iter_N.npz of this experiment; without a name from the newest '
                             "usable one in the run's folder")
    parser.add_argument('--on-disk', action='store_true',
                        help="leave the training's HR volumes on the disk, and read each patch from there: for those "
                             'that do not fit into memory together')
    parser.add_argument('-R', '--root', type=a_path, default=PROJECT,
                        help="folder that the config's and the lists' relative paths start from (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's); returns the exit code."""
    hush()
    args = parse_arguments(argv)
    with together(args.gpu, args.communicator) as ranks:
        return begin(args, ranks, sys.argv[1:] if argv is None else argv)


def begin(args, ranks, words):
    """Check the command line, and train in a folder that no other run writes into; returns the exit code."""
    check_there(args.config_path, 'config')
    args.model = args.model and model_path(args.model)
    check_there(args.model, 'model file')
    check_there(None if args.resume in ('', NEWEST) else args.resume, 'snapshot')
    # Imported here and in `train`: neither --help nor a wrong argument waits for them.
    from util.config_files import load_config
    from util.device import get_device
    from util.lock import locked
    from util.training.stopping import Stop

    stop = Stop()
    with stop.heeding_signals():
        config = load_config(args.config_path, args.set)
        device = get_device(ranks.gpu(args.gpu))
        with locked(args.out) if ranks.is_first else contextlib.nullcontext():
            return train(args, config, device, stop, ranks, words)


def train(args, config, device, stop, ranks, words):
    """The run, in a folder that is its own; returns the exit code. Its last words are the command that comes next.

    Args:
        ranks (~util.ranks.OneProcess): The processes that train together; the first alone writes and prints.
        words (list of str): The command line, of which `args` was made.

    Raises:
        UserError: If the folder holds another run, or the experiment cannot be trained or gone on with as it is.
    """
    import numpy
    from util.config_files import load_config
    from util.dataset.splits import check_splits
    from util.files import remove_strays, sha256
    from util.inference.experiment import load_start
    from util.inference.network import build_network
    from util.training.archive import RANDOM, archive_run, read_start
    from util.training.resume import holds_run, remove_log_strays, resume
    from util.training.snapshot import copy_first
    from util.training.trainer import make_trainer, ran_with

    start = sha256(args.model) if args.model else RANDOM
    if ranks.is_first:
        if holds_run(args.out) and not args.resume:
            raise UserError(f'{args.out} holds a run already; go on with it with --resume, or name another folder with '
                            '-o')
        if args.resume and args.model:
            check_model(args, start)
        remove_log_strays(args.out)
        remove_strays(args.out / 'samples')

    numpy.random.seed(config.seed)  # the initial weights; they are drawn on the CPU and so are the same on every device
    with blaming(args.config_path):
        net = build_network(config, args.root)
    if args.model:
        load_start(args.model, net, config, args.root)
    elif not args.resume:
        check_start(args, net, start)
    net.to_device(device)
    pairs, val_pairs = load_data(args, config)
    with blaming(args.config_path):
        check_splits(config.dataset.model_dump(), args.root)
        trainer = make_trainer(config, net, pairs, val_pairs, args.out, stop, ranks)
    snapshot = None
    if args.resume and ranks.is_first:
        def began():
            check_start(args, net, start, read_start(args.out))
            archive = args.out / 'config.yml'
            return load_config(archive) if archive.exists() else config

        snapshot = resume(trainer, None if args.resume == NEWEST else args.resume, ran_with(config, pairs, val_pairs),
                          began)
    if ranks.is_first:
        if snapshot:
            start = read_start(Path(snapshot).parent)
        archive_run(args.out, config, args.root, bool(args.resume), start)
    if ranks.size > 1:
        copy_first(trainer, ranks)
    stop.training = True
    trainer.run(show_loop_exception_msg=False)  # an error is told by `run` or by Python, and not by Chainer as well

    interrupted = stop.exit_code is not None and trainer.updater.iteration < config.iteration
    if ranks.is_first:
        finish(args, config, trainer, interrupted, ranks.launcher, words)
    return stop.exit_code if interrupted else 0


def check_model(args, start):
    """Refuse to go on with a run with another model (-m) than it began with.

    Args:
        start (str): What the command line says it begins with, as `util.training.archive.read_start` has it.

    Raises:
        UserError: If its folder says that it began with another one, or with random weights.
    """
    from util.training.archive import read_start

    folder = args.out if args.resume == NEWEST else Path(args.resume).parent
    began = read_start(folder)
    if began and began != start:
        raise UserError(f'{folder}: the run there did not begin with {args.model}; to go on with it give -m as it was, '
                        'or none once it has a snapshot; or begin another run from these weights with -o, without '
                        '--resume')


def check_start(args, net, start, began=None):
    """Refuse to begin with other weights than the run began with before, or than the network can be used with.

    Args:
        start (str): What it begins with now, as `util.training.archive.read_start` has it.
        began (str or None): What it began with before, likewise.

    Raises:
        UserError: If that is another model, or none for a network whose mean stays as it is.
    """
    from models.network import has_fixed_mean

    if began and began != start:  # another model has been refused already
        raise UserError(f'{args.out}: no snapshot there can be gone on from, and the run did not begin with random '
                        'weights; give -m as it was, or begin another run with -o')
    if has_fixed_mean(net) and not args.model:
        raise UserError(f'{args.config_path}: models.generator.args.fixed_mean: what the network says of HR would stay '
                        'that of random weights; give the model whose answers it is to have with -m')


def finish(args, config, trainer, interrupted, launcher, words):
    """Keep what an interruption would lose, and say which command comes next."""
    done, best = trainer.updater.iteration, trainer.get_extension('best')
    if interrupted:
        trainer.get_extension('keep')(trainer)
        # of two --resume the later one counts
        command = launcher + typed('training.py', *words, *['--resume'] * (args.resume != NEWEST))
        print(f'interrupted; to go on from {args.out}/snapshot_iter_{done}.npz:\n{command}', file=sys.stderr)
        return
    print(f'model: {args.out}/gen_iter_{done}.npz')
    score = f'loss {best.loss:.4g}' if best.by_loss else f'{best.psnr:.2f} dB'
    print(f'best on validation: {best.path} ({score} at iteration {best.iteration})')
    print(f'to super-resolve the test cases with that one:\n{inference_command(args, config, best.path)}')


def inference_command(args, config, model):
    """The command that super-resolves the test cases with a model of the run."""
    from util.inference.network import check_code_of_model

    options = ['-m', model]
    try:
        check_code_of_model(config, model, args.root)
    except UserError:  # code that a model file may not name, but a config may
        options += ['-c', args.out / 'config.yml']
    options += ['-R', args.root] if args.root != PROJECT else []
    options += ['-g', args.gpu] if args.gpu >= 0 else []
    return typed('inference.py', *options)


def load_data(args, config):
    """The training's and the validation's Pairs."""
    from util.dataset.pairs import load_pairs

    loaded = []
    for key in ('training_list', 'val_list'):
        with blaming(f'{args.config_path}: dataset.{key}'):
            loaded.append(load_pairs(args.root / getattr(config.dataset, key), config, args.root,
                                     args.on_disk and key == 'training_list'))
    return loaded


if __name__ == '__main__':
    run(main)
