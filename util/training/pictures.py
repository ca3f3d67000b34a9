"""What a person looks at while a network trains: the curves, and what becomes of a case."""
from util.volumes.geometry import hr_volume_geometry

MOST = 25  # pictures of a kind in a run: enough to see it learn, whatever the intervals, and a hundredth of its time


def draw_curves(trainer):
    """Trainer extension that draws the whole log, also of a run that goes on, as ``gen_loss.png``."""
    from util.reports.training_figures import save_curves_figure  # matplotlib takes a while

    log = trainer.get_extension('LogReport').log
    if log:  # a validation may come before the first line
        save_curves_figure(trainer.out / 'gen_loss.png', log)


def sampler(pairs, sampling, due):
    """What draws the first case of a validation, as ``samples/iteration_N.png``, to be leafed through.

    Args:
        pairs (~util.dataset.pairs.Pairs): Of the validation cases.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        due: Trigger that says at which of the validations.

    Returns:
        Function of the trainer, what the network made of the case, (C, z, y, x), and its PSNR in dB.
    """
    name, (lr, hr) = pairs.names[0], pairs.arrays[0]
    spacing = hr_volume_geometry(pairs.geometries[0], sampling).spacing

    def sample(trainer, sr, psnr):
        if due(trainer):
            from util.reports.training_figures import save_sample_figure  # as above

            iteration = trainer.updater.iteration
            # six digits, so that the order of the names is that of the iterations
            save_sample_figure(trainer.out / f'samples/iteration_{iteration:06}.png',
                               f'{name} after {iteration} iterations: {psnr:.2f} dB', lr, sr, hr, spacing, sampling)

    return sample
