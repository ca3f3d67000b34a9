"""Train a network on pairs of LR and HR volumes, as a YAML file says.

    python training.py -g 0 -c configs/base.yml -o results/training
"""
import argparse
import shutil
import signal
import sys
from pathlib import Path

import util  # noqa: F401  (makes `import chainer` work)
import chainer
import numpy
from chainer import training
from chainer.training import extensions

from util.best_model import BestModel
from util.cases import load_pairs
from util.config import dump_config, load_config
from util.degradation import centre_offset
from util.device import get_device
from util.evaluator import VolumeEvaluator
from util.files import replacing, write_text
from util.losses import LOSSES
from util.network import build_network, load_network, network_path, save_network
from util.patches import PatchDataset
from util.schedules import AlphaSchedule
from util.script import PROJECT, UserError, blaming, run
from util.snapshot import load_snapshot, save_snapshot
from util.versions import versions


class StopTrigger(training.triggers.IntervalTrigger):
    """Ends the training after the last iteration, or after the present one once Ctrl-C (or SIGTERM) has come."""

    def __init__(self, iterations):
        super().__init__(iterations, 'iteration')
        self.interrupted = False

    def interrupt(self, signum, frame):
        self.interrupted = True
        signal.signal(signum, signal.SIG_DFL)
        print('\nstopping after this iteration and writing a snapshot; once more to stop at once', file=sys.stderr)

    def __call__(self, trainer):
        return self.interrupted or trainer.updater.iteration >= self.period


def parse_arguments():
    parser = argparse.ArgumentParser(description='Train a 3D super-resolution network as a YAML file says.')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-c', '--config_path', type=Path, default=PROJECT / 'configs/base.yml',
                        help='the experiment (default: configs/base.yml)')
    parser.add_argument('-o', '--out', type=Path, default=PROJECT / 'results/training',
                        help='folder of the run (default: results/training)')
    parser.add_argument('-m', '--model', type=Path, help='model file to start from, instead of random weights')
    parser.add_argument('--resume', type=Path, help='snapshot_iter_N.npz of a run of this config, to go on from')
    parser.add_argument('-R', '--root', type=Path, default=PROJECT,
                        help="folder that the config's and the lists' relative paths start from (default: the project)")
    return parser.parse_args()


def stop_on_non_finite_loss(trainer):
    loss = float(trainer.observation['main/loss'].array)
    if not numpy.isfinite(loss):
        raise UserError(f'the loss is {loss} at iteration {trainer.updater.iteration}; try a smaller adam.alpha, or '
                        'intensity_scaling: percentile. The snapshots written before are still good')


def log_scale(figure, axes, summary):
    axes.set_yscale('log')


def archive_run(out, config, root):
    """Keep what ran beside what comes of it."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {'config.yml': dump_config(config), 'versions.yml': versions()}
    for name, text in texts.items():
        write_text(out / name, text)
    copies = {f'{key}.txt': root / path for key, path in config.dataset.model_dump().items()}
    copies[network_path(config).name] = network_path(config)
    for name, source in copies.items():
        if source.is_file():  # there may be no test list yet
            with replacing(out / name) as temporary:
                shutil.copyfile(source, temporary)


def main():
    args = parse_arguments()
    config = load_config(args.config_path)
    device = get_device(args.gpu)
    if (args.out / 'log').exists() and not args.resume:
        raise UserError(f'{args.out} holds a run already; name another folder with -o, or go on with --resume '
                        f'{args.out}/snapshot_iter_N.npz')

    numpy.random.seed(config.seed)  # the initial weights; they are drawn on the CPU and so are the same on every device
    net = build_network(config)
    if args.model:
        load_network(args.model, net)
    net.to_device(device)
    optimizer = chainer.optimizers.Adam(config.adam.alpha, config.adam.beta1, config.adam.beta2)
    optimizer.setup(net)

    offset = centre_offset(config.degradation.name, config.upsampling_rate)
    with blaming(f'{args.config_path}: dataset.training_list'):
        training_pairs = load_pairs(args.root / config.dataset.training_list, config, args.root)
    with blaming(f'{args.config_path}: dataset.val_list'):
        val_pairs = load_pairs(args.root / config.dataset.val_list, config, args.root)
    with blaming(args.config_path):
        patches = PatchDataset(training_pairs, config.upsampling_rate, offset, config.patchside,
                               (config.iteration + 1) * config.batchsize, config.seed, config.flip,
                               config.flip_until and config.flip_until * config.batchsize, config.background_share)
    patches.to_device(device)
    # The patches are random already, and example i is always the same one: in order, a resumed run repeats none. (One
    # batch more than is used: at its end the iterator would begin anew, also for a run that goes on for longer.)
    iterator = chainer.iterators.SerialIterator(patches, config.batchsize, shuffle=False)

    penalty = LOSSES[config.loss]

    def loss_func(lr, hr):
        loss = penalty(net(lr), hr)
        chainer.report({'loss': loss}, net)
        return loss

    updater = training.StandardUpdater(iterator, optimizer, device=device, loss_func=loss_func)
    stop_trigger = StopTrigger(config.iteration)
    trainer = training.Trainer(updater, stop_trigger, out=args.out)

    def every(interval):
        return lambda trainer: updater.iteration % interval == 0 or updater.iteration == config.iteration

    display, snapshot = every(config.display_interval), every(config.snapshot_interval)

    trainer.extend(AlphaSchedule(config.adam.alpha, config.schedule, config.iteration_decay_start, config.iteration))
    # A loss that is not finite makes the weights so, for good: looking before anything is shown or kept is enough.
    trainer.extend(stop_on_non_finite_loss, trigger=lambda trainer: display(trainer) or snapshot(trainer),
                   priority=training.PRIORITY_EDITOR)
    trainer.extend(VolumeEvaluator(net, val_pairs, offset, penalty), trigger=every(config.evaluation_interval))
    best = BestModel(args.out / 'gen_best.npz', net, config)
    trainer.extend(best, trigger=every(config.evaluation_interval))
    trainer.extend(extensions.observe_value('alpha', lambda trainer: optimizer.alpha), trigger=display)
    trainer.extend(extensions.LogReport(trigger=display))
    trainer.extend(extensions.PrintReport(['iteration', 'main/loss', 'val/loss', 'val/psnr', 'val/psnr_linear', 'alpha',
                                           'elapsed_time']), trigger=display)
    trainer.extend(extensions.PlotReport(['main/loss', 'val/loss'], 'iteration', trigger=display, marker=None,
                                         file_name='gen_loss.png', postprocess=log_scale))
    if sys.stdout.isatty():
        trainer.extend(extensions.ProgressBar(update_interval=10))

    @training.make_extension(trigger=snapshot, priority=-100)  # last, so that it holds what the others did
    def keep(trainer):
        save_network(args.out / f'gen_iter_{updater.iteration}.npz', net, config)
        save_snapshot(args.out / f'snapshot_iter_{updater.iteration}.npz', trainer)

    trainer.extend(keep, name='keep')

    if args.resume:
        load_snapshot(args.resume, trainer)
        if updater.iteration >= config.iteration:
            raise UserError(f'{args.resume}: iteration {updater.iteration} is the last already; to go on, raise '
                            'iteration in the config')
    archive_run(args.out, config, args.root)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop_trigger.interrupt)
    trainer.run(show_loop_exception_msg=False)  # whatever it is, it is told once: by `run` or by Python

    done = updater.iteration
    if done < config.iteration:
        keep(trainer)
        print(f'interrupted; to go on, add --resume {args.out}/snapshot_iter_{done}.npz', file=sys.stderr)
        return 130
    print(f'model: {args.out}/gen_iter_{done}.npz')
    print(f'best on validation: {best.path} ({best.psnr:.2f} dB at iteration {best.iteration})')


if __name__ == '__main__':
    run(main)
