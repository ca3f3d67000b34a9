"""The share of a training iteration in which the network waits: for its patches, their batch and the updater.

    python -m benchmarks.loop GPU LR_SIDE ITERATIONS

Runs Chainer's StandardUpdater on a PatchDataset, as training.py does: batch 5, rate 4, all three axes flipped together.
Prints a JSON object with two medians in seconds: ``iteration``, the whole, and ``outside``, the part of it outside
forward, backward and update.
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
from util.training.losses import mse
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
    optimizer = chainer.optimizers.Adam(alpha=1e-4).setup(net)
    iterator = chainer.iterators.SerialIterator(patches, 5, shuffle=False)
    updater = chainer.training.StandardUpdater(
        iterator, optimizer, device=device, loss_func=lambda lr, hr: mse(net(lr), hr))

    def now():
        if gpu >= 0:
            import cupy
            cupy.cuda.Device().synchronize()
        return time.perf_counter()

    inside, total = [], []
    update = optimizer.update

    def timed_update(*args):
        start = now()
        update(*args)
        inside.append(now() - start)

    optimizer.update = timed_update
    for _ in range(warm_up + iterations):
        start = now()
        updater.update()
        total.append(now() - start)
    outside = [t - i for t, i in zip(total, inside)]
    print(json.dumps({'iteration': statistics.median(total[warm_up:]),
                      'outside': statistics.median(outside[warm_up:])}))


if __name__ == '__main__':
    main(*map(int, sys.argv[1:]))
