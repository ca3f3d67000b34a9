"""The least that a case can take on a machine: its arithmetic at the speed of a large matrix product, or its memory
traffic at the speed of a copy, whichever is longer.

**Arithmetic.** Multiply-adds of the convolutions alone. Biases, rectifiers, the loss and Adam's update are not
counted. A convolution is counted the way that needs fewer of them:

- directly, ``C_in C_out k^3`` per voxel, padding included. So conv2 (1x1x1) and conv1 (1 -> 50), whose transforms would
  cost more than they save.
- by Winograd's F(4x4x4, 3x3x3) in tiles of 4x4x4 voxels, the last one along each axis being whole. *Products*:
  ``216 C_in C_out`` per tile, where direct convolution has 1728. *Transforms*, as dense matrix products, axis after
  axis, shared by tiles that overlap: per tile ``6*6*4*4 + 6*6*6*4 + 6*6*6*6 = 2736`` for each input channel and
  ``4*6*6*6 + 4*6*4*6 + 4*6*4*4 = 1824`` for each output channel; once per call ``6*3*3*3 + 6*3*6*3 + 6*3*6*6 = 1134``
  for each filter.

Training needs each layer three times: forward, gradient of its weights, gradient of its input (not of conv1). The
gradient of the weights is the same trilinear form read another way and costs the same; for the gradient of the input,
the channels change places.

**Memory.** Four bytes for each number that has to be read or written even if everything else stays in the cache. For a
forward pass or a whole volume: LR, weights and SR, once. For training: LR and HR; the feature maps of conv1 and conv2,
which wait for the backward pass, and the gradient of SR, all written and read; weights and Adam's two moments, read and
written.
"""
from typing import NamedTuple

from benchmarks.cases import layers

TILE, POINTS, TAPS = 4, 6, 3


class Work(NamedTuple):
    """What a case needs, as the module's docstring counts it."""
    direct: int      # multiply-adds when every convolution is done directly
    products: int    # multiply-adds of the products that Winograd's algorithm leaves, and of the direct layers
    transforms: int  # multiply-adds of its transforms
    bytes: int       # bytes that are read and written


class Limit(NamedTuple):
    """The least seconds of a case on a machine."""
    products: float    # of the products alone
    arithmetic: float  # of products and transforms
    memory: float      # of the bytes

    @property
    def seconds(self):
        """float: The longer of arithmetic and memory."""
        return max(self.arithmetic, self.memory)


def winograd(batch, size, channels_in, channels_out):
    """Multiply-adds of one 3x3x3 convolution by F(4x4x4, 3x3x3).

    Args:
        batch (int): Number of examples.
        size ((int, int, int)): Voxels of an example, (z, y, x).
        channels_in (int): Channels of the input.
        channels_out (int): Channels of the output.

    Returns:
        (int, int): Of the products, and of the transforms.

    Example:
        >>> from benchmarks.limits import winograd
        >>> winograd(1, (4, 4, 4), 1, 1)
        (216, 5694)
    """
    tiles = batch
    for side in size:
        tiles *= -(-side // TILE)
    # Axis by axis n numbers become m: the axes that are done hold m numbers of a tile, those to come n.
    inputs = sum(POINTS * POINTS * POINTS ** done * TILE ** (2 - done) for done in range(3))
    outputs = sum(TILE * POINTS * TILE ** done * POINTS ** (2 - done) for done in range(3))
    filters = sum(POINTS * TAPS * POINTS ** done * TAPS ** (2 - done) for done in range(3))
    return (tiles * POINTS ** 3 * channels_in * channels_out,
            tiles * (inputs * channels_in + outputs * channels_out) + filters * channels_in * channels_out)


def work(case):
    """What a case needs.

    Args:
        case (Case): The work.

    Returns:
        Work: Multiply-adds and bytes.

    Example:
        >>> from benchmarks.cases import Case
        >>> from benchmarks.limits import work
        >>> work(Case('forward', 1, (1, 1, 1))).direct
        179150
    """
    direct = products = transforms = weights = 0
    for number, (channels_in, channels_out, side) in enumerate(layers(case)):
        filters = channels_in * channels_out * side ** 3
        weights += filters + channels_out
        passes = [(channels_in, channels_out)]
        if case.kind == 'training':
            passes += passes + [(channels_out, channels_in)] * (number > 0)
        for channels in passes:
            ways = [(case.voxels * filters, 0)]
            if side == TAPS:
                ways.append(winograd(case.batch, case.size, *channels))
            least = min(ways, key=sum)
            direct += ways[0][0]
            products += least[0]
            transforms += least[1]
    hr = case.rate ** 3
    if case.kind == 'training':
        features = sum(channels for _, channels, _ in layers(case)[:-1])
        numbers = case.voxels * (1 + hr + 2 * features + 2 * hr) + 2 * 3 * weights
    else:
        numbers = case.voxels * (1 + hr) + weights
    return Work(direct, products, transforms, 4 * numbers)


def limit(case, multiply_adds, bandwidth):
    """The least seconds that a case can take.

    Args:
        case (Case): The work.
        multiply_adds (float): Of the machine's large matrix product, per second.
        bandwidth (float): Bytes read and written per second, of a copy.

    Returns:
        Limit: Seconds.
    """
    needed = work(case)
    return Limit(needed.products / multiply_adds, (needed.products + needed.transforms) / multiply_adds,
                 needed.bytes / bandwidth)
