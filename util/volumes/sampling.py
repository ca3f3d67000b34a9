"""Where LR voxels lie among HR voxels: one value that the config, the network and all who use it share."""
import dataclasses
import numbers


def _three(values, kind):
    """Three numbers of a kind, as a tuple; empty if they are anything else."""
    try:
        values = tuple(values)
    except TypeError:
        return ()
    fit = len(values) == 3 and all(isinstance(v, kind) and not isinstance(v, bool) for v in values)
    return values if fit else ()


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Along each axis, the centre of LR voxel i lies at HR index ``rate * i + offset``.

    The offset belongs to the degradation (`util.volumes.degradation.sampling_of`): 0 where LR voxels are centred on the
    first HR voxel of their block, (rate - 1) / 2 where they are centred amid it.

    Args:
        rate (int or (int, int, int)): HR voxels per LR voxel, (z, y, x); one number stands for all three axes.
        offset ((float, float, float)): HR index of the centre of LR voxel 0, (z, y, x): whole or half numbers.

    Raises:
        ValueError: If the rate is not one or three positive whole numbers, or the offset not three whole or half ones.

    Example:
        >>> sampling = Sampling((4, 1, 1), (1.5, 0, 0))
        >>> sampling.hr_shape((1, 10, 48, 48))
        (1, 40, 48, 48)
    """
    rate: tuple
    offset: tuple = (0.0, 0.0, 0.0)

    def __post_init__(self):
        rate = _three([self.rate] * 3 if isinstance(self.rate, numbers.Integral) else self.rate, numbers.Integral)
        offset = _three(self.offset, numbers.Real)
        if not rate or min(rate) < 1:
            raise ValueError(f'the rate must be a positive whole number or three of them (z, y, x); got {self.rate!r}')
        if not offset or any(not float(2 * o).is_integer() for o in offset):
            raise ValueError(f'the offset must be three numbers (z, y, x), whole or half ones; got {self.offset!r}')
        object.__setattr__(self, 'rate', tuple(map(int, rate)))
        object.__setattr__(self, 'offset', tuple(map(float, offset)))

    def hr_shape(self, lr_shape):
        """Shape (..., r_z*z, r_y*y, r_x*x) of the HR array that belongs to an LR array of shape (..., z, y, x)."""
        return (*lr_shape[:-3], *(r * side for r, side in zip(self.rate, lr_shape[-3:])))

    def over_blocks(self, lr_array):
        """HR array (..., r_z*z, r_y*y, r_x*x) with each value of an LR array (..., z, y, x) all over its block."""
        for axis, r in zip((-3, -2, -1), self.rate):
            lr_array = lr_array.repeat(r, axis)
        return lr_array
