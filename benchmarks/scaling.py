"""What exchanging gradients costs a training: one line for the processes of one mpiexec.

    mpiexec -n 2 python -m benchmarks.scaling --batchsize 10

The network and the patches of configs/base.yml, on random volumes; nothing is validated or kept.
"""
import argparse
import statistics
import time

from util.mpiexec import hush, together
from util.script import PROJECT


def parse_arguments():
    parser = argparse.ArgumentParser(description='Time training iterations of all ranks, and what they spend on each '
                                                 'other.')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='as of training.py')
    parser.add_argument('--batchsize', type=int, default=5, help='examples of all ranks together (default: 5)')
    parser.add_argument('--iterations', type=int, default=60, help='how many are timed (default: 60)')
    return parser.parse_args()


def main():
    hush()
    args = parse_arguments()
    with together(args.gpu) as ranks:
        measure(args, ranks)


def measure(args, ranks):
    """Print the median time of an iteration, and how much of it this rank, the first, waits and exchanges."""
    import numpy
    from models.cpu_blocks import workers
    from util.config_files import load_config
    from util.dataset.pairs import Pairs
    from util.device import get_device
    from util.inference.network import build_network
    from util.training.trainer import make_trainer
    from util.volumes.geometry import Geometry

    config = load_config(PROJECT / 'configs/base.yml', [f'batchsize={args.batchsize}'])
    device = get_device(ranks.gpu(args.gpu))
    numpy.random.seed(config.seed)
    net = build_network(config, PROJECT)
    net.to_device(device)
    hr = numpy.random.default_rng(0).random((1, 128, 128, 128), numpy.float32)
    pairs = Pairs(['random'], [(hr[:, ::4, ::4, ::4].copy(), hr)], [Geometry((4.0,) * 3, (0.0,) * 3, tuple(
        numpy.eye(3).ravel()))], [0])
    trainer = make_trainer(config, net, pairs, pairs, PROJECT / 'results/scaling', ranks=ranks)
    spent = {'waiting': [], 'exchanging': []}
    if ranks.size > 1:
        ranks._meet = timed(ranks._meet, spent['waiting'], device)
        ranks._communicator.multi_node_mean_grad = timed(ranks._communicator.multi_node_mean_grad,
                                                         spent['exchanging'], device)
    times = []
    update = timed(trainer.updater.update, times, device)
    for _ in range(args.iterations + 10):
        update()
        trainer.stop_trigger(trainer)
    total = statistics.median(times[10:])
    shares = {name: sum(durations) / sum(times) for name, durations in spent.items()}
    count = sum(param.size for param in net.params()) + 1
    print(f'{ranks.size} ranks of {workers.count} threads, batch {args.batchsize}: {1000 * total:.1f} ms an iteration, '
          f'of it waiting {shares["waiting"]:.1%}, exchanging {shares["exchanging"]:.1%} of {4 * count} bytes; '
          f'an exchange takes {1e6 * min(spent["exchanging"], default=0):.0f} us at best, '
          f'a meeting {1e6 * min(spent["waiting"], default=0):.0f} us')


def timed(call, durations, device):
    """A function that does the same and notes how long it took."""
    def timing(*arguments, **settings):
        start = time.perf_counter()
        result = call(*arguments, **settings)
        if device.xp.__name__ == 'cupy':
            device.xp.cuda.get_current_stream().synchronize()
        durations.append(time.perf_counter() - start)
        return result

    return timing


if __name__ == '__main__':
    main()
