"""The work that is timed: the networks of models/espcn3d.py and models/deep_espcn3d.py, on the same arrays for all."""
import dataclasses

import numpy


@dataclasses.dataclass(frozen=True)
class Case:
    """One piece of work.

    Args:
        kind (str): ``'training'``: forward, MSE on the HR side, backward, Adam. ``'forward'``: forward alone, on the
            device. ``'volume'``: from an LR volume in the host's memory to an HR volume there.
        batch (int): Number of examples; 1 for a volume.
        size ((int, int, int)): LR voxels of an example, (z, y, x).
        rate (int): Upsampling rate along each axis.
        blocks (int): Residual blocks of the deeper network; 0: the paper's network.

    Example:
        >>> from benchmarks.cases import Case
        >>> case = Case('training', 5, (16, 16, 16))
        >>> case.name, case.voxels
        ('training iteration, batch 5 of LR 16×16×16, rate 4', 20480)
    """
    kind: str
    batch: int
    size: tuple
    rate: int = 4
    blocks: int = 0

    @property
    def name(self):
        """str: The case in words, for the report."""
        size = '×'.join(map(str, self.size))
        what = {'training': 'training iteration', 'forward': 'forward only', 'volume': 'whole volume'}[self.kind]
        return (f'{what}, {"" if self.kind == "volume" else f"batch {self.batch} of "}LR {size}, rate {self.rate}'
                + (f', {self.blocks} residual blocks' if self.blocks else ''))

    @property
    def voxels(self):
        """int: Number of LR voxels of the whole batch."""
        return self.batch * int(numpy.prod(self.size))


WIDTH = 48  # feature maps of the deeper network
# Batch 5 of HR patches of side 64 is the reference experiment. At rate 2 conv3 has 8 output channels, too few for a
# matrix product to be fast.
CASES = (
    Case('training', 5, (16, 16, 16)),
    Case('training', 5, (32, 32, 32), rate=2),
    Case('forward', 5, (16, 16, 16)),
    Case('volume', 1, (40, 48, 48)),
    Case('volume', 1, (64, 64, 64)),
    Case('training', 4, (12, 12, 12), blocks=6),  # of configs/x4_deep.yml
    Case('volume', 1, (40, 48, 48), blocks=6),
)
GROWING_VOLUMES = tuple(Case('volume', 1, (side,) * 3) for side in (16, 24, 32, 40, 48, 56, 64, 80))
GROWING_BATCHES = tuple(Case('training', batch, (16, 16, 16)) for batch in (1, 2, 4, 8, 16))

# Small cases, to see that the benchmark itself works.
QUICK_CASES = (Case('training', 2, (6, 6, 6), rate=2), Case('volume', 1, (6, 7, 8), rate=2))
QUICK_VOLUMES = Case('volume', 1, (4, 4, 4), rate=2),
QUICK_BATCHES = tuple(Case('training', batch, (4, 4, 4), rate=2) for batch in (1, 2))


def layers(case):
    """Sizes of the network's convolutions.

    Args:
        case (Case): The work.

    Returns:
        tuple of (int, int, int): (channels in, channels out, side of the kernel) of each.
    """
    if case.blocks:
        return (1, WIDTH, 3), *[(WIDTH, WIDTH, 3)] * (2 * case.blocks), (WIDTH, case.rate ** 3, 3)
    return (1, 50, 3), (50, 100, 1), (100, case.rate ** 3, 3)


def make_arrays(case):
    """Arrays that every implementation starts from, all float32 and the same in every call.

    Args:
        case (Case): The work.

    Returns:
        (numpy.ndarray, numpy.ndarray or None, list): LR batch (N, 1, D, H, W); HR batch (N, 1, r*D, r*H, r*W), for
        training alone; (W, b) of each layer, W (C_out, C_in, k, k, k) and b (C_out,).
    """
    rng = numpy.random.default_rng(0)
    lr = rng.random((case.batch, 1) + case.size, dtype=numpy.float32)
    hr = None
    if case.kind == 'training':
        hr = rng.random((case.batch, 1) + tuple(case.rate * side for side in case.size), dtype=numpy.float32)
    weights = []
    for channels_in, channels_out, side in layers(case):
        # He et al. 2015; of a deeper network smaller, since what its blocks add up to grows
        scale = numpy.float32((2 / (channels_in * side ** 3)) ** 0.5 / (1 + case.blocks))
        W = scale * rng.standard_normal((channels_out, channels_in) + (side,) * 3, dtype=numpy.float32)
        weights.append((W, numpy.zeros(channels_out, numpy.float32)))
    return lr, hr, weights
