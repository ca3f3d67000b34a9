"""What every network here ends with: the pixel shuffler, and the interpolation that the network learns to add to."""
import functools
import numbers

import chainer
import numpy

from models.network import ArgumentError
from models.pixel_shuffler_3d import pixel_shuffler_3d
from models.product import AlongAxes
from util.volumes.interpolation import interpolation_matrix

RESIDUALS = ('none', 'nearest', 'linear')
MOST_BYTES = 2 ** 31  # of weights: three thousand times the paper's network


class UpscalingNetwork(chainer.Chain):
    """A network that works on the LR volume and ends with :meth:`upscale`.

    Args:
        sampling (~util.volumes.sampling.Sampling): The upsampling rate (r_z, r_y, r_x). Its offset says where
            interpolation puts the LR voxels; unused without a residual.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        residual (str): ``'none'``, as the paper; or the network learns what to add to the LR volume's ``'nearest'`` or
            ``'linear'`` interpolation (`util.volumes.interpolation`).

    Raises:
        ArgumentError: If ``in_channels`` or ``residual`` is none of these.
    """

    def __init__(self, sampling, in_channels, residual):
        super().__init__()
        if not is_whole(in_channels) or in_channels < 1:
            raise ArgumentError(f'in_channels must be a positive whole number; got {in_channels!r}')
        if residual not in RESIDUALS:
            raise ArgumentError(f'residual {residual!r} is unknown; allowed: {", ".join(RESIDUALS)}')
        self.sampling, self.in_channels, self.residual = sampling, in_channels, residual

    def set_halo(self, *ksizes):
        """The halo of convolutions of these kernels, one after another: how many LR voxels beyond its own place an
        output voxel depends on. Interpolation between two neighbours needs 1.
        """
        self.halo = max(sum(k // 2 for k in ksizes), 0 if self.residual == 'none' else 1)

    def upscale(self, h, x):
        """From the last convolution's output h (N, C*r_z*r_y*r_x, D, H, W) and the LR batch x to the HR batch."""
        y = pixel_shuffler_3d(h, self.sampling.rate)
        if self.residual == 'none':
            return y
        if chainer.config.enable_backprop:
            return y + self.interpolate(x)
        interpolated, hr = self.interpolate(x).array, y.array
        with chainer.using_device(self.device):
            hr += interpolated  # in place: another array of HR's size takes as long as conv1
        return y

    def interpolate(self, x):
        """What the residual is added to, (N, C, D, H, W) -> (N, C, r_z*D, r_y*H, r_x*W); no weights are involved."""
        matrices = [_matrix(n, r, offset, self.residual, numpy.dtype(x.dtype), self.device.name)
                    for n, r, offset in zip(x.shape[2:], self.sampling.rate, self.sampling.offset)]
        if chainer.config.enable_backprop:
            self._trains_with = matrices  # a recorded training goes on with these, whatever the cache lets go
        return AlongAxes(*matrices).apply((x,))[0]


@functools.lru_cache(maxsize=64)
def _matrix(n, rate, offset, kind, dtype, device):
    """`interpolation_matrix` on a device, (rate * n, n). It stays there: to send it again would hold up a GPU."""
    return chainer.get_device(device).send(interpolation_matrix(n, rate, offset, kind).astype(dtype))


def is_whole(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_size(weights, arguments):
    """Refuse a network of too many weights, before memory for them is asked for.

    Args:
        weights (int): How many, of float32.
        arguments (str): What makes so many, for the message.

    Raises:
        ArgumentError: If they take more than 2 GiB.
    """
    if 4 * weights > MOST_BYTES:
        raise ArgumentError(f'{arguments} make {weights >> 18} MiB of weights; allowed: at most {MOST_BYTES >> 20} MiB')
