"""Whole LR volumes through a network, tile by tile."""
import itertools
import math

import chainer
import numpy

from models import reused_memory
from models.network import check_prediction, put_together

# Bytes of feature maps. More takes less time, since halos are computed twice, but more memory: an LR volume of
# 40x48x48, on a busy machine, took 514 ms with 16 MiB, 398 with 64 and 297 as a whole (128).
MEMORY = 64 * 2**20
GPU_MEMORY = 2**30  # there is more, and what a kernel takes to start counts for more
MOST_COMPUTED = 4  # voxels that are computed for each voxel of a tile


def choose_tile(size, net, memory=MEMORY):
    """The largest tile, cut as a cube would be, whose feature maps fit into a memory budget.

    Of a deep network the halo is wide, and small tiles would be little else. So a tile is never so small that more than
    :data:`MOST_COMPUTED` voxels are computed for each of its own, and takes the memory that this needs.

    Args:
        size ((int, int, int)): LR voxels of the volume, (z, y, x).
        net (~chainer.Chain): As `models.network` describes it.
        memory (int): Bytes for the float32 feature maps that live at a time, halo included: the outputs of the three
            widest convolutions, such as one's input and output and what a residual block is added to.

    Returns:
        (int, int, int): LR voxels of a tile without its halo, (z, y, x).
    """
    outputs = [param.shape[0] for param in net.params() if param.ndim == 5]  # a convolution's W: (out, in, z, y, x)
    maps, tile = sum(sorted(outputs)[-3:]), tuple(size)

    def computed(tile):
        return math.prod(min(side + 2 * net.halo, most) for side, most in zip(tile, size))

    while 4 * maps * computed(tile) > memory and max(tile) > 1:
        smaller = list(tile)
        longest = smaller.index(max(smaller))
        parts = -(-size[longest] // smaller[longest]) + 1
        # in equal parts, rather than a sliver at the end
        smaller[longest] = min(-(-size[longest] // parts), smaller[longest] - 1)
        if computed(smaller) > MOST_COMPUTED * math.prod(smaller):
            break
        tile = tuple(smaller)
    return tile


def tiles(function, lr, rate, halo, tile, which=slice(None)):
    """Apply a function to a volume of any size, tile by tile.

    Each tile is read with a halo, and only the part without halo is kept. At the volume's border there is no halo: the
    function sees the border, as it does for the whole volume. So a function that depends on no more than the halo
    gives what it gives for the whole volume: there are no seams, and memory is bounded by the tile.

    Args:
        function: Maps an LR array (..., z, y, x) to a dict of HR arrays, name -> (..., r_z*z, r_y*y, r_x*x). Each may
            have leading axes of its own, such as channels.
        lr (numpy.ndarray): LR volume, (..., z, y, x).
        rate ((int, int, int)): (r_z, r_y, r_x).
        halo (int): How many LR voxels beyond its own place an HR voxel depends on.
        tile ((int, int, int)): LR voxels of a tile without its halo, (z, y, x).
        which (slice): Which of the tiles, such as every second one.

    Yields:
        (tuple, dict): For each tile its place in the HR volume, three slices, and its arrays by name, on the CPU.
    """
    starts = itertools.product(*(range(0, side, t) for side, t in zip(lr.shape[-3:], tile)))
    for start in itertools.islice(starts, which.start, which.stop, which.step):
        stop = [min(s + t, side) for s, t, side in zip(start, tile, lr.shape[-3:])]
        read = tuple(slice(max(s - halo, 0), e + halo) for s, e in zip(start, stop))
        keep = tuple(slice(r * (s - w.start), r * (e - w.start)) for r, s, e, w in zip(rate, start, stop, read))
        place = tuple(slice(r * s, r * e) for r, s, e in zip(rate, start, stop))
        yield place, {name: _to_host(part[(..., *keep)]) for name, part in function(lr[(..., *read)]).items()}


def _to_host(array):
    """An array on the CPU, without a copy if it is there; in memory used before, whose pages need not be fetched."""
    if isinstance(array, numpy.ndarray):
        return array
    host = reused_memory.empty(array.shape, array.dtype)
    with array.device:
        chainer.backends.cuda.cupy.ascontiguousarray(array).get(out=host)
    return host


def tiled(function, lr, rate, halo, tile):
    """What :func:`tiles` gives, as whole HR arrays: :func:`join`'s."""
    return join(tiles(function, lr, rate, halo, tile), [r * side for r, side in zip(rate, lr.shape[-3:])])


def join(parts, sides):
    """The parts of a volume as whole arrays.

    Args:
        parts: What :func:`tiles` yields.
        sides ((int, int, int)): HR voxels of the volume, (z, y, x).

    Returns:
        dict: Name -> numpy.ndarray (..., z, y, x), of the first part's leading axes and dtype.
    """
    whole = {}
    for place, maps in parts:
        for name, part in maps.items():
            if part.shape[-3:] == tuple(sides) and _is_free(part, whole.values()):
                whole[name] = part
                continue
            if name not in whole:
                whole[name] = numpy.empty((*part.shape[:-3], *sides), part.dtype)
            whole[name][(..., *place)] = part
    return whole


def _is_free(array, others):
    """Whether an array can be handed out as it is: it has memory of its own, which the caller may write to."""
    return (array.flags.writeable and array.flags.c_contiguous
            and not any(numpy.may_share_memory(array, other) for other in others))


class _Forward:
    """A network in use, not in training, as a function of an LR part (C, z, y, x); remembers what it returns."""

    def __init__(self, net):
        self.net, self.kind = net, None

    def __call__(self, part):
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            prediction = self.net(self.net.device.send(part[None]))
        self.kind = type(prediction)
        maps = check_prediction(prediction, self.net.sampling.hr_shape(part[None].shape))
        return {name: array[0] for name, array in maps.items()}


def _cut(function, net, lr, tile):
    """What `tiles` and `tiled` take, to run a network on a volume."""
    memory = MEMORY if net.device.xp is numpy else GPU_MEMORY
    return function, lr, net.sampling.rate, net.halo, tile or choose_tile(lr.shape[-3:], net, memory)


def predict(net, lr, tile=None):
    """Super-resolve a volume of any size; equal, to float precision, to running the whole volume at once.

    The network runs as in use, not as in training: ``chainer.config.train`` is False. Up to 256 MiB stay with
    `models.reused_memory` for the next volume; its ``release`` gives them back.

    Args:
        net (~chainer.Chain): As `models.network` describes it. It runs where its parameters are.
        lr (numpy.ndarray): LR volume, (C, z, y, x), float32.
        tile ((int, int, int)): LR voxels of a tile without its halo, (z, y, x); None: :func:`choose_tile`'s.

    Returns:
        numpy.ndarray: HR volume, (C, r_z*z, r_y*y, r_x*x), float32; or, of a network that returns a distribution, that
        distribution, whose parameters have this shape.

    Raises:
        TypeError: If the network returns neither a Variable nor a distribution.
        ValueError: If the HR volume's channels or size are not what they ought to be.
    """
    forward = _Forward(net)
    maps = tiled(*_cut(forward, net, lr, tile))
    return put_together(forward.kind, maps)


def predicted_tiles(net, lr, tile=None, which=slice(None)):
    """:func:`predict`, a tile at a time, so that no whole HR volume need lie in memory; of all tiles or, as of
    :func:`tiles`, some.

    Yields:
        (tuple, prediction): For each tile its place in the HR volume, three slices, and the prediction there.
    """
    forward = _Forward(net)
    for place, maps in tiles(*_cut(forward, net, lr, tile), which):
        yield place, put_together(forward.kind, maps)


def predictive_tiles(net, lr, samples, tile=None, which=slice(None)):
    """Mean and variances over drawn networks, a tile at a time.

    The draws are always the same: the first, the second and so on, whatever the volume and the tile. So there are no
    seams, and memory does not grow with their number.

    Args:
        net (~models.network.BayesianNetwork): It runs where its parameters are.
        lr (numpy.ndarray): LR volume, (C, z, y, x), float32.
        samples (int): How many networks are drawn, 2 or more.
        tile ((int, int, int)): As of :func:`predict`.
        which (slice): As of :func:`tiles`.

    Yields:
        (tuple, dict): For each tile its place in the HR volume, three slices, and what `models.network.Predictive` has:
        name -> (C, z, y, x), float32. A variance that it has not is left out.
    """
    def predictive(part):
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            found = net.predictive(net.device.send(part[None]), map(numpy.random.default_rng, range(samples)))
        maps = {name: array for name, array in found._asdict().items() if array is not None}
        for array in maps.values():
            check_prediction(chainer.as_variable(array), net.sampling.hr_shape(part[None].shape))
        return {name: array[0] for name, array in maps.items()}

    return tiles(*_cut(predictive, net, lr, tile), which)
