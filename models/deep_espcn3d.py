"""A deeper network in the paper's manner: residual blocks on the LR volume, then one 3D pixel shuffler."""
import math

import chainer
import chainer.functions as F

from models.convolution_3d import Convolution3D
from models.network import ArgumentError
from models.upscaling import BLENDED, RESIDUALS, UpscalingNetwork, check_size, is_whole


# Adam moves all weights alike. Without this the share of an untrained network runs to B-spline interpolation, which is
# better than it at first, until its sigmoid is 1: nothing has a gradient then, and the network never learns. With too
# large an alpha it does not learn either (docs/training-notes.md).
SHARE_SCALE = 1 / 16


class ResidualBlock(chainer.Chain):
    """x + conv(ReLU(conv(x))), both 3x3x3; the second convolution starts at 0, so that the block starts as x.

    Source: B. Lim et al., "Enhanced deep residual networks for single image super-resolution" (EDSR), CVPRW 2017: no
    normalisation; the start of H. Zhang, Y. Dauphin and T. Ma, "Fixup initialization", ICLR 2019.

    Args:
        width (int): Feature maps.
    """

    def __init__(self, width):
        super().__init__()
        with self.init_scope():
            self.conv1 = Convolution3D(width, width, 3, relu=True, initialW=chainer.initializers.HeNormal())
            self.conv2 = Convolution3D(width, width, 3, initialW=0)

    def forward(self, x):
        """(N, width, D, H, W) -> the same shape."""
        return x + self.conv2(self.conv1(x))


class DeepESPCN3D(UpscalingNetwork):
    """3D-ESPCN with a chain of residual blocks between its first and its last convolution.

    As in the paper's network everything is computed on the LR grid, and one shuffle ends it. It sees 2 * blocks + 2
    LR voxels around each voxel, where the paper's sees 2.

    Args:
        sampling (~util.volumes.sampling.Sampling): As of `models.upscaling.UpscalingNetwork`.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        width (int): Feature maps of every convolution but the last.
        blocks (int): Residual blocks, of two 3x3x3 convolutions each.
        residual (str): What the network adds to: ``'none'``, ``'nearest'``, ``'linear'`` or ``'blended'``. The last
            convolution starts at 0, so that with a residual the untrained network is the interpolation itself.
            ``'blended'``: HR = s * B-spline + (1 - s) * (linear + what the network adds), with a share s that it gives
            for each LR voxel's block. So where it has nothing to add, as in a smooth scan, it can be B-spline
            interpolation itself. Before the training s is a half.

    Raises:
        ArgumentError: If an argument is none of these, or the weights would take more than 2 GiB.
    """

    is_static = True

    def __init__(self, sampling, in_channels=1, width=48, blocks=6, residual='linear'):
        super().__init__(sampling, in_channels, residual, (*RESIDUALS, BLENDED))
        for name, value in (('width', width), ('blocks', blocks)):
            if not is_whole(value) or value < 1:
                raise ArgumentError(f'{name} must be a positive whole number; got {value!r}')
        factor = math.prod(sampling.rate)
        check_size(27 * width * (in_channels * (factor + 1 + (residual == BLENDED)) + 2 * blocks * width),
                   f'width {width}, blocks {blocks} and the rate {sampling.rate}')
        self.set_halo(*[3] * (2 * blocks + 2))
        with self.init_scope():
            self.first = Convolution3D(in_channels, width, 3, relu=True, initialW=chainer.initializers.HeNormal())
            self.blocks = chainer.ChainList(*(ResidualBlock(width) for _ in range(blocks)))
            self.last = Convolution3D(width, in_channels * factor, 3, initialW=0)
            if residual == BLENDED:
                self.balance = Convolution3D(width, in_channels, 3, initialW=0)

    def forward(self, x):
        """Super-resolve a batch: (N, in_channels, D, H, W) -> (N, in_channels, r_z*D, r_y*H, r_x*W), float32."""
        h = self.first(x)
        for block in self.blocks:
            h = block(h)
        share = F.sigmoid(self.balance(h) * SHARE_SCALE) if self.residual == BLENDED else None
        return self.upscale(self.last(h), x, share)
