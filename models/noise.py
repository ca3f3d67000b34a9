"""The random numbers of a training's noise."""
import math

import numpy

from models.element_wise import in_blocks


class Noise:
    """Standard numbers for a training, the same again after the same seed."""

    def __init__(self):
        self.seed(0)

    def seed(self, *numbers, batchsize=None, share=slice(None)):
        """Begin anew.

        Args:
            numbers (int): 0 or more, such as the experiment's seed and the iteration.
            batchsize (int): Examples that are drawn for; None: as many as are asked for.
            share (slice): Which of these are.
        """
        self._numbers, self._generator = list(numbers), None
        self._batchsize, self._share = batchsize, share

    def uniform(self, xp, shape):
        """Numbers from 0 to 1 for a share of the batch, always the same ones for an example of it.

        Args:
            xp: Module of the arrays.
            shape (tuple of int): First axis: the examples that are asked for.

        Returns:
            numpy.ndarray or cupy.ndarray: Of that shape, float32.
        """
        return self._generator_of(xp).random(self._whole(shape), dtype=numpy.float32)[self._share]

    def normal(self, xp, shape):
        """Standard normal numbers; as :meth:`uniform`."""
        generator, whole = self._generator_of(xp), self._whole(shape)
        numbers = (_normal(generator, whole) if xp is numpy
                   else generator.standard_normal(whole, dtype=numpy.float32))
        return numbers[self._share]

    def _whole(self, shape):
        return shape[0] if self._batchsize is None else self._batchsize, *shape[1:]

    def _generator_of(self, xp):
        """numpy.random.Generator or cupy.random.Generator, where the arrays of a batch are."""
        if self._generator is None:
            # CuPy's default generator takes milliseconds to begin.
            self._generator = (numpy.random.default_rng(self._numbers) if xp is numpy
                               else xp.random.Generator(xp.random.Philox4x3210(self._numbers)))
        return self._generator


def _normal(generator, shape):
    """Standard normal numbers, float32, in less than half of the time of `numpy.random.Generator.standard_normal`.

    Source: G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates", 1958. The uniform
    numbers are multiples of 2^-24, so none is beyond 5.77, where one in a hundred million would be.
    """
    count = math.prod(shape)
    numbers = generator.random((2, -(-count // 2)), dtype=numpy.float32)
    in_blocks(_box_muller, *numbers)
    return numbers.reshape(-1)[:count].reshape(shape)


def _box_muller(first, second):
    """Two independent normal numbers of two uniform ones, in their place."""
    radius = numpy.sqrt(-2 * numpy.log(1 - first))
    second *= numpy.float32(2 * numpy.pi)
    numpy.multiply(radius, numpy.cos(second), out=first)
    numpy.multiply(radius, numpy.sin(second), out=second)
