"""Whole LR volumes through the network, tile by tile."""
import itertools

import chainer
import numpy


def reconstruct(net, lr, tile=(32, 32, 32)):
    """Super-resolve a volume of any size; equal, to float precision, to running the whole volume at once.

    Each tile is read with a halo of ``net.halo`` LR voxels, which is all that the network's kernels can see beyond it,
    and only the part without halo is kept. At the volume's border there is no halo: the network's own zero padding
    stands there, as it does for the whole volume. So memory is bounded by the tile and there are no seams.

    Args:
        net (~chainer.Chain): Maps (1, 1, D, H, W) to (1, 1, r_z*D, r_y*H, r_x*W); has ``halo`` (int, LR voxels) and
            ``rate`` ((r_z, r_y, r_x)). Runs where its parameters are.
        lr (numpy.ndarray): LR volume, (z, y, x), float32.
        tile ((int, int, int)): LR voxels of a tile without its halo, (z, y, x).

    Returns:
        numpy.ndarray: HR volume, (r_z*z, r_y*y, r_x*x), float32.
    """
    rate, halo = net.rate, net.halo
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
