"""The variance of HR that a network predicts: its intrinsic uncertainty, what LR leaves open, noise included."""
import math

import chainer
import chainer.functions as F

from models.espcn3d import ESPCN3D
from models.softplus import softplus

# In intensities scaled so that the brightest tissue is about 1.
LEAST_VARIANCE = 1e-6  # a deviation of a thousandth, far below a scan's noise
START_VARIANCE = 0.01  # of an untrained network: about the squared error of interpolation at x4
_START = math.log(math.expm1(START_VARIANCE))


class VarianceESPCN3D(ESPCN3D):
    """A 3D-ESPCN whose output is made positive by a softplus: a variance for each HR voxel, "heteroscedastic".

    conv3 starts at 0 and its bias so that all voxels start at `START_VARIANCE`. No residual.

    Source: R. Tanno et al., MICCAI 2017, section 2, and "Uncertainty modelling in deep learning for safer neuroimage
    enhancement", NeuroImage 225:117366, 2021.

    Args:
        sampling (~util.volumes.sampling.Sampling), in_channels (int), ksizes ((int, int, int)): As of ESPCN3D.
    """

    def __init__(self, sampling, in_channels=1, ksizes=(3, 1, 3)):
        super().__init__(sampling, in_channels, ksizes, conv3_init='zero')
        self.conv3.b.array[...] = _START

    def forward(self, x):
        """LR patches (N, C, D, H, W) -> the variance of HR (N, C, r_z*D, r_y*H, r_x*W), float32."""
        return softplus(super().forward(x)) + LEAST_VARIANCE


class ConstantVariance(chainer.Chain):
    """One variance for each channel, the same in every voxel: "homoscedastic".

    Args:
        sampling (~util.volumes.sampling.Sampling): Of the HR patches.
        in_channels (int): Channels.
    """

    def __init__(self, sampling, in_channels=1):
        super().__init__()
        self.sampling = sampling
        with self.init_scope():
            self.b = chainer.Parameter(_START, (in_channels,))

    def forward(self, x):
        """LR patches (N, C, D, H, W) -> the variance of HR (N, C, r_z*D, r_y*H, r_x*W), float32."""
        variance = softplus(self.b) + LEAST_VARIANCE
        return F.broadcast_to(F.reshape(variance, (1, -1, 1, 1, 1)), self.sampling.hr_shape(x.shape))
