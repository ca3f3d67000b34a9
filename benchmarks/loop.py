"""The share of a training iteration in which the network waits for its patches.

    python -m benchmarks.loop GPU LR_SIDE ITERATIONS

Runs the updater on a PatchDataset, as training.py does: batch 5, rate 4, all three axes flipped together. Prints a JSON
object with two numbers of seconds: ``iteration``, the mean of the whole, and ``outside``, the median of the part of it
in which patches are chosen and cut. On a GPU that part goes on while the GPU works on the iteration before.
"""
import json
import statistics
import sys
import time

import util  # noqa: F401
import chainer
import numpy

from models.espcn3d import ESPCN3D
from util.dataset.patches import PatchDataset
from util.device import get_device
from util.training.adam import Adam
from util.training.losses import mse
from util.training.updater import Updater
from util.volumes.sampling import Sampling

RATE = 4


def main(gpu, side, iterations):
    """Time iterations and print the medians.

    Args:
        gpu (int): GPU number, or negative for the CPU.
        side (int): LR voxels of a patch along each axis.
        iterations (int): Number of timed iterations; three more warm up.
    """
    device = get_device(gpu)
    rng = numpy.random.default_rng(0)
    volumes = [[rng.random((1,) + (r * 2 * side,) * 3, dtype=numpy.float32) for r in (1, RATE)] for _ in range(2)]
    warm_up = 3
    patches = PatchDataset(volumes, Sampling(RATE), (RATE * side,) * 3, 5 * (warm_up + iterations), flip='together')
    patches.to_device(device)
    net = ESPCN3D(Sampling(RATE))
    net.to_device(device)
    optimizer = Adam(1e-4, 0.9, 0.999).setup(net)
    iterator, outside = chainer.iterators.SerialIterator(patches, 5, shuffle=False), []
    cut = iterator.next

    def timed_cut():
        start = time.perf_counter()
        batch = cut()
        outside.append(time.perf_counter() - start)
        return batch

    iterator.next = timed_cut
    updater = Updater(iterator, optimizer, lambda lr, hr: mse(net(lr), hr))
    reporter = chainer.Reporter()
    reporter.add_observer('main', net)

    def run(count):
        """Seconds of so many iterations."""
        start = time.perf_counter()
        for _ in range(count):
            with reporter.scope({}):
                updater.update()
        if gpu >= 0:
            device.xp.cuda.Device().synchronize()
        return time.perf_counter() - start

    run(warm_up)
    print(json.dumps({'iteration': run(iterations) / iterations, 'outside': statistics.median(outside[warm_up:])}))


if __name__ == '__main__':
    main(*map(int, sys.argv[1:]))
