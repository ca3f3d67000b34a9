"""The Trainer of an experiment: optimizer, patches, loss, and what is reported and kept on the way."""
import functools
from pathlib import Path

import chainer
import numpy
from chainer import training
from chainer.distribution import Distribution
from chainer.training import extensions

from models.network import BayesianNetwork, check_prediction, has_fixed_mean
from util.dataset.batches import Batches
from util.dataset.drawn import Drawing
from util.dataset.patches import PatchDataset
from util.inference.model_file import save_network
from util.inference.network import check_channels
from util.ranks import ALONE
from util.script import UserError, blaming, note
from util.training.adam import Adam
from util.training.best_model import BestModel
from util.training.evaluator import VolumeEvaluator
from util.training.losses import LIKELIHOODS, LOSSES, check_intensities
from util.training.margin import with_margin
from util.training.pictures import MOST, draw_curves, sampler
from util.training.progress_line import ProgressLine, Table, is_watched
from util.training.resume import VOXELS, find_snapshots, settings_of
from util.training.schedules import AlphaSchedule
from util.training.snapshot import save_snapshot
from util.training.stopping import StopTrigger, stop_on_non_finite_loss
from util.training.updater import Updater
from util.volumes.looks import expected_looks
from util.volumes.orientation import common_lie


def make_trainer(config, net, pairs, val_pairs, out, stop=None, ranks=ALONE):
    """Everything of a training but its start.

    Args:
        config (~util.config.Config): The experiment.
        net (~chainer.Chain): As `models.network` describes it, on the device that it trains on.
        pairs (~util.dataset.pairs.Pairs): Of the training cases.
        val_pairs (~util.dataset.pairs.Pairs): Of the validation cases.
        out (Path): Folder of the run.
        stop (~util.training.stopping.Stop): What may end the training early; None: nothing.
        ranks (~util.ranks.OneProcess): The processes that train together.

    Returns:
        ~chainer.training.Trainer: ``run()`` trains. Its ``stop_trigger`` is a :class:`StopTrigger`. Of the first rank
        its extension ``best`` is the :class:`BestModel`, and its extension ``keep`` writes the network and a snapshot.

    Raises:
        UserError: If a volume is too small for the patches, or has other channels than the network or intensities that
            the loss cannot go by; if the loss cannot teach the network, or be had of it or of such patches; or if ranks
            are more than a batch's examples.
    """
    out = Path(out)
    for name, (lr, hr) in zip(pairs.names + val_pairs.names, pairs.arrays + val_pairs.arrays):
        with blaming(f'case {name}'):
            check_channels(net, lr)
            check_intensities(config.loss, lr, hr)
    is_bayesian = isinstance(net, BayesianNetwork)
    optimizer = Adam(config.adam.alpha, config.adam.beta1, config.adam.beta2).setup(net)
    if is_bayesian:
        net.tune(optimizer)
    ranks.join(optimizer)
    loss = functools.partial(LOSSES[config.loss.name], **config.loss.settings)
    is_likelihood = config.loss.name in LIKELIHOODS
    of_patches = with_margin(loss, [(config.margin or 0) * rate for rate in config.upsampling_rate])
    if is_bayesian and not is_likelihood:
        raise UserError(f'loss: {config.loss.name} is no likelihood, which a network with uncertain weights is '
                        f'trained with; allowed for this one: {", ".join(LIKELIHOODS)}')
    if has_fixed_mean(net) and not is_likelihood:
        raise UserError(f'loss: {config.loss.name} looks at the mean alone, which fixed_mean leaves as it is, so that '
                        f'nothing would be learned; allowed here: {", ".join(LIKELIHOODS)}')
    is_to_look = ranks.is_first and not is_likelihood
    share = ranks.share(config.batchsize)
    voxels = sum(hr.size for _, hr in pairs.arrays)

    def training_loss(lr, hr):
        nonlocal is_to_look
        if is_bayesian:
            net.seed_noise(config.seed, updater.iteration, batchsize=config.batchsize, share=share)
        prediction = net(lr)
        check_prediction(prediction, hr.shape)
        if is_to_look and isinstance(prediction, Distribution):
            note(f'loss: {config.loss.name} looks at the mean alone, and leaves the deviations that this network '
                 f'predicts as they are; {", ".join(LIKELIHOODS)} teaches them')
        is_to_look = False
        divergence = (net.divergence() / voxels,) if is_bayesian else ()
        value = of_patches(prediction, hr, *divergence)
        return ranks.part(value, len(lr) / config.batchsize)

    updater = Updater(make_iterator(config, pairs.arrays, net.device, share), optimizer, training_loss)
    try_out(net, of_patches, config.patchside)
    trainer = training.Trainer(updater, StopTrigger(config.iteration, stop, ranks), out=out)
    trainer.extend(AlphaSchedule(config.adam.alpha, config.schedule.name, config.iteration_decay_start,
                                 config.iteration, **config.schedule.settings))
    sample = sampler(val_pairs, config.sampling, seldom(config)) if ranks.is_first else None
    trainer.extend(VolumeEvaluator(net, val_pairs.arrays, loss, sample, ranks),
                   trigger=every(config.evaluation_interval, config))
    display, snapshot = every(config.display_interval, config), every(config.snapshot_interval, config)
    # A loss that is not finite makes the weights so, for good: looking before anything is shown or kept is enough.
    trainer.extend(stop_on_non_finite_loss, trigger=lambda trainer: display(trainer) or snapshot(trainer),
                   priority=training.PRIORITY_EDITOR)
    if ranks.is_first:
        extend_with_reports(trainer, config)
        kinds = common_lie(pairs.geometries), expected_looks([lr for lr, _ in pairs.arrays])
        extend_with_files(trainer, config, kinds, ran_with(config, pairs, val_pairs))
    return trainer


def try_out(net, loss, patchside):
    """Take the loss of one empty patch: what cannot be is refused before a run has written anything.

    Args:
        net (~chainer.Chain): As `models.network` describes it. It is called as in use, and draws no noise.
        loss (callable): (prediction, hr) -> scalar Variable, of patches.
        patchside ((int, int, int)): HR voxels, (z, y, x).

    Raises:
        UserError: If the loss refuses the prediction, or patches of this size.
        TypeError or ValueError: As of `models.network.check_prediction`.
    """
    r_z, r_y, r_x = net.sampling.rate
    with chainer.using_device(net.device), chainer.no_backprop_mode(), chainer.using_config('train', False):
        hr = net.xp.zeros((1, net.in_channels, *patchside), numpy.float32)
        prediction = net(hr[..., ::r_z, ::r_y, ::r_x].copy())
        check_prediction(prediction, hr.shape)
        loss(prediction, hr)


def ran_with(config, pairs, val_pairs):
    """What a run is resumed with: each setting by its dotted key, and the cases by name and voxels (where they lie may
    change).

    Returns:
        dict: As :func:`util.training.resume.resume` compares it.
    """
    voxels = {f'{kind} case {name}': checksum for kind, its in (('training', pairs), ('validation', val_pairs))
              for name, checksum in zip(its.names, its.checksums)}
    return {**settings_of(config), 'training cases': pairs.names, 'validation cases': val_pairs.names, VOXELS: voxels}


def make_iterator(config, pairs, device, share):
    """A share of each batch of random patches, always in the same order, cut on the device.

    The patches are random already, and example i is always the same one: in order, a resumed run repeats none.

    Args:
        config (~util.config.Config): The experiment.
        pairs (list): (lr, hr) of each training case, as of `util.dataset.pairs.Pairs`: arrays (C, z, y, x), float32,
            with scaled intensities.
        device (~chainer.backend.Device): Where the network is.
        share (slice): Which examples of each batch are given (`util.ranks.OneProcess.share`).

    Returns:
        ~util.dataset.batches.Batches: Of lists of examples, each an LR patch (C, d, h, w) and an HR patch
        (C, r_z*d, r_y*h, r_x*w), float32; one batch more than there are iterations.

    Raises:
        UserError: As of :class:`util.dataset.patches.PatchDataset` and :class:`util.dataset.drawn.Drawing`.
    """
    # One batch more than is used: at its end the iterator would begin anew, also for a run that goes on for longer.
    length = (config.iteration + 1) * config.batchsize
    flip_until = None if config.flip_until is None else config.flip_until * config.batchsize
    drawing = Drawing(pairs, config.sampling, config.drawn, config.degradation) if config.drawn.anything else None
    patches = PatchDataset(pairs, config.sampling, config.patchside, length, config.seed, config.flip, flip_until,
                           config.background_share, drawing)
    patches.to_device(device)
    # A GPU draws in no time; and a step that is recorded there (`Updater`) lets no other thread use it.
    return Batches(patches, config.batchsize, share, ahead=drawing is not None and device.xp is numpy)


def every(interval, config):
    """Trigger that fires every so many iterations, and after the last one."""
    return lambda trainer: (trainer.updater.iteration % interval == 0
                            or trainer.updater.iteration == config.iteration)


def seldom(config):
    """Trigger that fires at validations, at most `MOST` times in a run, and after its last iteration."""
    validations = -(-config.iteration // config.evaluation_interval)
    return every(config.evaluation_interval * -(-validations // MOST), config)


def extend_with_reports(trainer, config):
    """The log, the table on standard output, the curves and, on a terminal, the moving line."""
    display, optimizer = every(config.display_interval, config), trainer.updater.get_optimizer('main')
    trainer.extend(extensions.observe_value('alpha', lambda trainer: optimizer.alpha), trigger=display)
    trainer.extend(extensions.LogReport(trigger=display))
    columns = ['iteration', 'main/loss', 'val/loss', 'val/psnr', 'val/psnr_linear', 'alpha', 'elapsed_time']
    watched = is_watched()
    trainer.extend(extensions.PrintReport(columns, out=Table(watched)), trigger=display)
    trainer.extend(draw_curves, trigger=seldom(config))
    if watched:
        # A trigger of Chainer's own would have a state, which snapshots would hold, and one without a terminal would
        # not have.
        trainer.extend(ProgressLine(config.iteration), trigger=lambda trainer: True)


def extend_with_files(trainer, config, kinds, settings):
    """The best network on validation, and every so often the network and a snapshot.

    Args:
        trainer (~chainer.training.Trainer): What is extended.
        config (~util.config.Config): The experiment.
        kinds (tuple): How the LR volumes of the training lie and what they look like, as of
            `util.inference.model_file.save_network`.
        settings (dict): What :func:`ran_with` gives, for the snapshots.
    """
    net, experiment = trainer.updater.get_optimizer('main').target, config.to_yaml()
    trainer.extend(BestModel(trainer.out / 'gen_best.npz', net, experiment, *kinds),
                   trigger=every(config.evaluation_interval, config))

    # last, so that it holds what the others did
    @training.make_extension(trigger=every(config.snapshot_interval, config), priority=-100)
    def keep(trainer):
        iteration = trainer.updater.iteration
        # the network first: one whose weights are not finite is refused, and so is a snapshot of it
        save_network(trainer.out / f'gen_iter_{iteration}.npz', net, experiment, *kinds)
        save_snapshot(trainer.out / f'snapshot_iter_{iteration}.npz', trainer, settings)
        for old in find_snapshots(trainer.out, iteration)[config.snapshots_kept:] if config.snapshots_kept else []:
            old.unlink()

    trainer.extend(keep, name='keep')
