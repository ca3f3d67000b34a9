"""What every network here ends with: the pixel shuffler, and the interpolation that the network learns to add to."""
import functools
import numbers

import chainer
import chainer.functions as F
import numpy

from models.network import ArgumentError
from models.pixel_shuffler_3d import pixel_shuffler_3d
from models.product import AlongAxes, along_axis
from util.volumes.interpolation import interpolation_matrix

RESIDUALS = ('none', 'nearest', 'linear')
BLENDED = 'blended'  # B-spline interpolation and the network's own answer, by a share that the network gives
# LR voxels beyond a voxel's own place that its interpolation depends on. Of a B-spline they never end, but each next
# one counts for 0.268 of the last: what lies beyond 13 is lost in float32.
REACH = {'none': 0, 'nearest': 1, 'linear': 1, BLENDED: 13}
CACHED = 2 ** 20  # numbers of HR that a CPU finishes at a time
MOST_BYTES = 2 ** 31  # of weights: three thousand times the paper's network


class UpscalingNetwork(chainer.Chain):
    """A network that works on the LR volume and ends with :meth:`upscale`.

    Args:
        sampling (~util.volumes.sampling.Sampling): The upsampling rate (r_z, r_y, r_x). Its offset says where
            interpolation puts the LR voxels; unused without a residual.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        residual (str): ``'none'``, as the paper; or the network learns what to add to the LR volume's ``'nearest'`` or
            ``'linear'`` interpolation (`util.volumes.interpolation`).
        residuals (tuple): What is allowed; with :data:`BLENDED`, the network gives :meth:`upscale` the share.

    Raises:
        ArgumentError: If ``in_channels`` or ``residual`` is none of these.
    """

    def __init__(self, sampling, in_channels, residual, residuals=RESIDUALS):
        super().__init__()
        if not is_whole(in_channels) or in_channels < 1:
            raise ArgumentError(f'in_channels must be a positive whole number; got {in_channels!r}')
        if residual not in residuals:
            raise ArgumentError(f'residual {residual!r} is unknown; allowed: {", ".join(residuals)}')
        self.sampling, self.in_channels, self.residual = sampling, in_channels, residual
        self._trains_with = {}

    def set_halo(self, *ksizes):
        """Set ``halo``: how many LR voxels beyond its own place an output voxel depends on.

        Args:
            ksizes (int): Odd kernel sizes of the convolutions, one after another; the residual may look farther.
        """
        self.halo = max(sum(k // 2 for k in ksizes), REACH[self.residual])

    def upscale(self, h, x, share=None):
        """The HR batch.

        Args:
            h (~chainer.Variable): The last convolution's output, (N, C*r_z*r_y*r_x, D, H, W), float32.
            x (~chainer.Variable or array): The LR batch, (N, C, D, H, W), float32.
            share (~chainer.Variable or None): With the residual :data:`BLENDED`, s of the block of each LR voxel, 0 to
                1, in HR = s * B-spline + (1 - s) * (linear + what the network adds). (N, C, D, H, W), float32.

        Returns:
            ~chainer.Variable: (N, C, r_z*D, r_y*H, r_x*W), float32.
        """
        y = pixel_shuffler_3d(h, self.sampling.rate)
        if self.residual == 'none':
            return y
        kinds = ('linear', 'bspline') if self.residual == BLENDED else (self.residual,)
        interpolations = [self._matrices(x, kind) for kind in kinds]
        if not chainer.config.enable_backprop:
            with chainer.using_device(self.device):
                self._answer_in_place(y.array, x, interpolations, share)
            return y
        interpolated = [AlongAxes(*matrices).apply((x,))[0] for matrices in interpolations]
        y = y + interpolated[0]
        return y if share is None else y + _shared(share, interpolated[1] - y, self.sampling.rate)

    def _answer_in_place(self, y, x, interpolations, share):
        """Make the answer of what the shuffler gives.

        A few planes at a time on a CPU, while they are in its cache: arrays of HR's size would take as long as conv1,
        and those of a B-spline as much memory as all feature maps.

        Args:
            y (numpy.ndarray or cupy.ndarray): What the shuffler gives, (N, C, r_z*D, r_y*H, r_x*W); changed in place.
            x (~chainer.Variable or array): As of :meth:`upscale`, and so is ``share``.
            interpolations (list): What :meth:`_matrices` gives for each interpolation: the one that is added, and with
                a share that which it blends with.
        """
        planes = [along_axis(along_axis(getattr(x, 'array', x), along_x, 2), along_y, 1)
                  for _, along_y, along_x in interpolations]
        depth, rate = x.shape[2], self.sampling.rate
        step = max(1, CACHED * depth // y.size) if isinstance(y, numpy.ndarray) else depth
        for first in range(0, depth, step):
            lr = slice(first, first + step)
            hr = slice(rate[0] * first, rate[0] * (first + step))
            own, *bspline = (along_axis(each, along_z[hr], 0) for each, (along_z, *_) in zip(planes, interpolations))
            part = y[:, :, hr]
            part += own
            for further in bspline:
                further -= part
                blocks, of_blocks = _blocks(further, share.array[:, :, lr], rate)
                blocks *= of_blocks
                part += further

    def _matrices(self, x, kind):
        """What an interpolation of the LR batch multiplies its axes by: (r_z*D, D), (r_y*H, H) and (r_x*W, W)."""
        what = kind, x.shape[2:], numpy.dtype(x.dtype), self.device.name
        matrices = [_matrix(n, r, offset, kind, *what[2:])
                    for n, r, offset in zip(x.shape[2:], self.sampling.rate, self.sampling.offset)]
        if chainer.config.enable_backprop:  # a recorded training goes on with these, whatever the cache lets go
            matrices = self._trains_with.setdefault(what, matrices)
        return matrices


def _shared(share, y, rate):
    """Each LR voxel's share of y in its block: (N, C, D, H, W) times (N, C, r_z*D, r_y*H, r_x*W)."""
    blocks, of_blocks = _blocks(y, share, rate)
    return (blocks * F.broadcast_to(of_blocks, blocks.shape)).reshape(y.shape)


def _blocks(y, share, rate):
    """Views (N, C, D, r_z, H, r_y, W, r_x) of y and (N, C, D, 1, H, 1, W, 1) of the share, which broadcast."""
    (*batch, depth, height, width), (along_z, along_y, along_x) = share.shape, rate
    return (y.reshape(*batch, depth, along_z, height, along_y, width, along_x),
            share.reshape(*batch, depth, 1, height, 1, width, 1))


@functools.lru_cache(maxsize=256)
def _matrix(n, rate, offset, kind, dtype, device):
    """`interpolation_matrix` on a device, (rate * n, n). It stays there: to send it again would hold up a GPU."""
    return chainer.get_device(device).send(interpolation_matrix(n, rate, offset, kind).astype(dtype))


def is_whole(value):
    """Whether a value is an integer, Python's or NumPy's, and no bool."""
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
