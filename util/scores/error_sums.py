"""Sums of the squared error and of the structural similarity over a volume, in one pass over its blocks.

Structural similarity: Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE
TIP 2004, equation 13, with Gaussian weights of sigma 1.5 voxels cut at 3.5 sigma, population covariance, and volumes
reflected at their borders: what scikit-image's ``structural_similarity`` computes with these settings, and the tests
compare with. It is computed here since scikit-image filters whole volumes voxel by voxel, five times for each
reconstruction: six times the CPU time, and a dozen arrays of the volume's size. Here the filters are products with
small matrices, the true volume is filtered once for all its reconstructions, and a block stays in a core's cache.
"""
import itertools
import math

import numpy

from models.cpu_blocks import workers

SSIM_WINDOW = 11  # voxels: Gaussian weights of sigma 1.5, cut at 3.5 sigma
_RADIUS = SSIM_WINDOW // 2
_SIGMA = 1.5
_SLAB, _HEIGHT, _WIDTH = 8, 24, 32  # voxels along z, y, x of what is filtered at a time


def error_sums(hr, images, channel, head, data_range):
    """Sums over the voxels of a channel, for several reconstructions of it.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        images (dict): Name -> reconstructed volume: an array of the same shape, or what gives blocks of it when it is
            indexed like one (`util.volumes.interpolation.Upsampled`).
        channel (int): Which channel.
        head (numpy.ndarray): Voxels that count as the head, bool, (z, y, x).
        data_range (float): The range that structural similarity is relative to; 0 has none.

    Returns:
        dict: Name -> (4,), float64: the squared error of all voxels; the similarity of those whose window lies in the
        volume (`SSIM_WINDOW` // 2 voxels from its border or more); and both for the head's voxels. Without a range the
        similarities are NaN.
    """
    filters = [_gaussian_matrix(side) for side in head.shape]
    # To a range of about 1: equation 13 has fourth powers, which float32 ends for at 1e-10 and 1e10, and units are the
    # user's. A power of two changes no digit.
    unit = 2.0 ** -min(max(math.frexp(data_range)[1], -120), 120)
    c1, c2 = (numpy.float32((k * unit * (data_range or numpy.nan)) ** 2) for k in (0.01, 0.03))
    slabs, rows, columns = (_parts(side, size) for side, size in zip(head.shape, (_SLAB, _HEIGHT, _WIDTH)))
    # Variances are differences of squares, the more exact the smaller these are; a shift leaves them as they are.
    shift, unit = numpy.float32(hr[channel].mean(dtype=numpy.float64)), numpy.float32(unit)
    centre, sums = shift * unit, {}

    def scaled(image, around_z):
        part = image[channel, around_z].astype(numpy.float32, copy=False) - shift
        part *= unit
        return part

    def of_slab(slab, scratch):
        z, around_z = slab
        truth, *others = (scaled(image, around_z) for image in (hr, *images.values()))
        own = slice(z.start - around_z.start, z.stop - around_z.start)
        sums[z.start] = sum(
            numpy.array(of_block((z, y), (around_z, around_y), truth[:, around_y],
                                 [other[:, around_y] for other in others],
                                 (own, slice(y.start - around_y.start, y.stop - around_y.start)), scratch))
            for y, around_y in rows)

    def of_block(block, around, truth, others, own, scratch):
        """The sums of a block: of the arrays around it, what is its own."""
        away = *(_inner(part, side) for part, side in zip(block, head.shape)), slice(_RADIUS, head.shape[2] - _RADIUS)
        inside = head[block].astype(numpy.float32)

        def in_head(values):
            values *= inside
            return values.sum(axis=-1).sum(dtype=numpy.float64)  # float32 along a row alone, which rounds little

        def means(products):
            """Gaussian means in the block of products around it."""
            n, depth, height, width = products.shape
            along_z = scratch.get('along z', (n, block[0].stop - block[0].start, height, width), numpy.float32)
            numpy.matmul(filters[0][block[0], around[0]], products.reshape(n, depth, -1),
                         out=along_z.reshape(n, -1, height * width))
            along_y = scratch.get('along y', (*along_z.shape[:2], block[1].stop - block[1].start, width),
                                  numpy.float32)
            numpy.matmul(filters[1][block[1], around[1]], along_z, out=along_y)
            result = scratch.get(f'means of {n}', along_y.shape, numpy.float32)
            for x, around_x in columns:
                numpy.matmul(along_y[..., around_x], filters[2][x, around_x].T, out=result[..., x])
            return result

        products = scratch.get('products', (3, *truth.shape), numpy.float32)
        products[0] = truth
        numpy.multiply(truth, truth, out=products[1])
        mean, variance = means(products[:2])
        square = numpy.multiply(mean, mean, out=scratch.get('square', mean.shape, numpy.float32))
        variance -= square
        variance += c2
        shifted = scratch.get('shifted', mean.shape, numpy.float32)
        shifted[...] = mean
        mean += centre
        numpy.multiply(mean, mean, out=square)
        square += c1
        mean *= 2
        result = []
        for other in others:
            products[0] = other
            numpy.multiply(other, other, out=products[1])
            numpy.multiply(other, truth, out=products[2])
            its_mean, its_variance, covariance = means(products)
            # in place, step by step: equation 13
            similarity = numpy.multiply(shifted, its_mean, out=scratch.get('similarity', mean.shape, numpy.float32))
            covariance -= similarity
            covariance *= 2
            covariance += c2
            its_variance -= numpy.multiply(its_mean, its_mean, out=similarity)
            its_variance += variance
            its_mean += centre
            numpy.multiply(mean, its_mean, out=similarity)
            similarity += c1
            similarity *= covariance
            its_mean *= its_mean
            its_mean += square
            its_variance *= its_mean
            similarity /= its_variance
            result.append(similarity[away].sum(axis=-1).sum(dtype=numpy.float64))
            result.append(in_head(similarity))
            error = numpy.subtract(truth[own], other[own], out=similarity)
            error *= error
            result += error.sum(axis=-1).sum(dtype=numpy.float64), in_head(error)
        return result

    workers.run(of_slab, slabs)
    total = sum(sums[z.start] for z, _ in slabs)  # in their order, so that a second run gives the same bits
    squares = float(unit) ** -2
    return {name: values[[2, 0, 3, 1]] * [squares, 1, squares, 1]
            for name, values in zip(images, total.reshape(-1, 4))}


def _inner(part, side):
    """Of a part of an axis, what is a radius or more from the ends of the axis; counted from the part's start."""
    start, stop = max(part.start, _RADIUS), min(part.stop, side - _RADIUS)
    return slice(start - part.start, max(stop, start) - part.start)


def _parts(side, size):
    """An axis in about equal parts of about a size: for each its slice, and the slice that its means depend on."""
    count = max(round(side / size), 1)
    edges = [side * i // count for i in range(count + 1)]
    return [(slice(start, stop), slice(max(start - _RADIUS, 0), stop + _RADIUS))
            for start, stop in itertools.pairwise(edges)]


def _gaussian_matrix(side):
    """What an axis is multiplied by to get its Gaussian means, reflected at the ends: (side, side), float32."""
    distance = numpy.arange(-_RADIUS, _RADIUS + 1)
    weights = numpy.exp(-0.5 * (distance / _SIGMA) ** 2)
    # voxel -1 is voxel 0 again, voxel -2 is 1, and so on; after `side` voxels the same backwards
    places = (numpy.arange(side)[:, None] + distance) % (2 * side)
    places = numpy.minimum(places, 2 * side - 1 - places)
    matrix = numpy.zeros((side, side))
    numpy.add.at(matrix, (numpy.arange(side)[:, None], places), weights / weights.sum())
    return matrix.astype(numpy.float32)
