"""Sums of the squared error and of the structural similarity over a volume, in one pass over its blocks.

Structural similarity: Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE
TIP 2004, equation 13, with Gaussian weights of sigma 1.5 voxels cut at 3.5 sigma, population covariance, and volumes
reflected at their borders: what scikit-image's ``structural_similarity`` computes with these settings, and the tests
compare with. It is computed here since scikit-image filters whole volumes voxel by voxel, five times for each
reconstruction: six times the CPU time, and a dozen arrays of the volume's size. Here the filters are products with
small matrices, the true volume is filtered once for all its reconstructions, and a block stays in a core's cache.
"""
from concurrent.futures import ThreadPoolExecutor
import itertools
import os

import numpy

SSIM_WINDOW = 11  # voxels: Gaussian weights of sigma 1.5, cut at 3.5 sigma
_RADIUS = SSIM_WINDOW // 2
_SIGMA = 1.5
_BLOCK = 32, 32, 64  # voxels along z, y, x: the blocks of all threads together stay below 50 MiB
_MOST_THREADS = 4


def error_sums(hr, images, channel, head, data_range):
    """Sums over the voxels of a channel, for several reconstructions of it.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        images (dict): Name -> reconstructed volume: an array of the same shape, or what gives blocks of it when it is
            indexed like one (`util.volumes.interpolation.Upsampled`).
        channel (int): Which channel.
        head (numpy.ndarray): Voxels that count as the head, bool, (z, y, x).
        data_range (float): The range that structural similarity is relative to.

    Returns:
        dict: Name -> (4,), float64: the squared error of all voxels; the similarity of those whose window lies in the
        volume (`SSIM_WINDOW` // 2 voxels from its border or more); and both for the head's voxels.
    """
    filters = [_gaussian_matrix(side) for side in head.shape]
    along_x = _parts(head.shape[2], _BLOCK[2])
    c1, c2 = (numpy.float32((k * data_range) ** 2) for k in (0.01, 0.03))

    def of_block(block):
        z, y = block
        read = tuple(slice(max(part.start - _RADIUS, 0), part.stop + _RADIUS) for part in block)
        away = *(_inner(part, side) for part, side in zip(block, head.shape)), slice(_RADIUS, head.shape[2] - _RADIUS)
        inside = head[block].astype(numpy.float64)

        def means(products):
            """Gaussian means in the block of (n, z, y, x), which reach a radius further along z and y."""
            n, depth, height, width = products.shape
            means = filters[0][z, read[0]] @ products.reshape(n, depth, -1)
            means = filters[1][y, read[1]] @ means.reshape(n, -1, height, width)
            result = numpy.empty_like(means)
            for x, around in along_x:
                numpy.matmul(means[..., around], filters[2][x, around].T, out=result[..., x])
            return result

        truth = hr[(channel, *read)].astype(numpy.float32, copy=False)
        own_truth = hr[(channel, *block)].astype(numpy.float32, copy=False)
        mean, variance = means(numpy.stack([truth, truth * truth]))
        square = mean * mean
        variance += c2 - square
        square += c1
        mean *= 2
        sums = []
        for image in images.values():
            image = image[(channel, *read)].astype(numpy.float32, copy=False)
            own = image[tuple(slice(part.start - r.start, part.stop - r.start) for part, r in zip(block, read))]
            its_mean, its_variance, covariance = means(numpy.stack([image, image * image, image * truth]))
            similarity = mean * its_mean           # in place, step by step: equation 13
            covariance *= 2
            covariance -= similarity
            covariance += c2
            similarity += c1
            similarity *= covariance
            its_mean *= its_mean
            its_variance -= its_mean
            its_variance += variance
            its_mean += square
            its_variance *= its_mean
            similarity /= its_variance
            similarity, error = similarity.astype(numpy.float64), (own_truth - own).astype(numpy.float64)
            error *= error
            sums.append([error.sum(), similarity[away].sum(), numpy.vdot(error, inside),
                         numpy.vdot(similarity, inside)])
        return numpy.array(sums)

    blocks = itertools.product(*([part for part, _ in _parts(side, size)]
                                 for side, size in zip(head.shape, _BLOCK[:2])))
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
        return dict(zip(images, sum(pool.map(of_block, blocks))))


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
