"""Whole LR volumes through the network, tile by tile."""
import itertools

import chainer
import numpy

# Bytes of feature maps. More takes less time, since halos are computed twice, but more memory: an LR volume of
# 40x48x48, on a busy machine, took 514 ms with 16 MiB, 398 with 64 and 297 as a whole (128).
MEMORY = 64 * 2**20


def choose_tile(shape, net, memory=MEMORY):
    """The largest tile, cut as a cube would be, whose feature maps fit into a memory budget.

    Args:
        shape ((int, int, int)): LR voxels of the volume, (z, y, x).
        net (~chainer.Chain): As for :func:`reconstruct`.
        memory (int): Bytes for the float32 feature maps of all the network's convolutions, halo included.

    Returns:
        (int, int, int): LR voxels of a tile without its halo, (z, y, x).
    """
    maps = sum(param.shape[0] for param in net.params() if param.ndim == 5)  # a convolution's W: (out, in, z, y, x)
    tile = list(shape)
    while 4 * maps * numpy.prod([side + 2 * net.halo for side in tile]) > memory and max(tile) > 1:
        longest = tile.index(max(tile))
        parts = -(-shape[longest] // tile[longest]) + 1
        # in equal parts, rather than a sliver at the end
        tile[longest] = min(-(-shape[longest] // parts), tile[longest] - 1)
    return tuple(tile)


def reconstruct(net, lr, tile=None):
    """Super-resolve a volume of any size; equal, to float precision, to running the whole volume at once.

    Each tile is read with a halo of ``net.halo`` LR voxels, which is all that the network's kernels can see beyond it,
    and only the part without halo is kept. At the volume's border there is no halo: the network's own zero padding
    stands there, as it does for the whole volume. So memory is bounded by the tile and there are no seams.

    Args:
        net (~chainer.Chain): Maps (1, 1, D, H, W) to (1, 1, r_z*D, r_y*H, r_x*W); has ``halo`` (int, LR voxels) and
            ``rate`` ((r_z, r_y, r_x)). Runs where its parameters are.
        lr (numpy.ndarray): LR volume, (z, y, x), float32.
        tile ((int, int, int)): LR voxels of a tile without its halo, (z, y, x); None: :func:`choose_tile`'s.

    Returns:
        numpy.ndarray: HR volume, (r_z*z, r_y*y, r_x*x), float32.
    """
    rate, halo = net.rate, net.halo
    tile = tile or choose_tile(lr.shape, net)
    hr = numpy.empty([r * side for r, side in zip(rate, lr.shape)], numpy.float32)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for start in itertools.product(*(range(0, side, t) for side, t in zip(lr.shape, tile))):
            stop = [min(s + t, side) for s, t, side in zip(start, tile, lr.shape)]
            read = tuple(slice(max(s - halo, 0), e + halo) for s, e in zip(start, stop))
            sr = net(net.device.send(lr[read][None, None])).array
            keep = tuple(slice(r * (s - w.start), r * (e - w.start)) for r, s, e, w in zip(rate, start, stop, read))
            place = tuple(slice(r * s, r * e) for r, s, e in zip(rate, start, stop))
            hr[place] = chainer.get_device('@numpy').send(sr[(0, 0) + keep])
    return hr
