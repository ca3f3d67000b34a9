"""Two 3D-ESPCNs, one for the mean of HR and one for its variance: the paper's intrinsic uncertainty."""
import math

import chainer
import chainer.functions as F
from chainer import function_node
from chainer.backends import cuda
from chainer.distributions import Normal

from models.espcn3d import ESPCN3D
from models.network import ArgumentError

# In intensities scaled so that the brightest tissue is about 1.
LEAST_VARIANCE = 1e-6  # a deviation of a thousandth, far below a scan's noise
START_VARIANCE = 0.01  # of an untrained network: about the squared error of interpolation at x4


class _Softplus(function_node.FunctionNode):
    """log(1 + exp(x)). `F.softplus` overflows in its gradient where x is above 88."""

    def forward(self, inputs):
        self.retain_inputs((0,))
        self.retain_outputs((0,))
        x, = inputs
        xp = cuda.get_array_module(x)
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.absolute(x))),

    def backward(self, indexes, grad_outputs):
        x, y = *self.get_retained_inputs(), *self.get_retained_outputs()
        return F.exp(x - y) * grad_outputs[0],  # the sigmoid of x, which cannot overflow so


def softplus(x):
    """log(1 + exp(x)), of any x.

    Args:
        x (~chainer.Variable or array): Any shape, floating point.

    Returns:
        ~chainer.Variable: The same shape and dtype, never negative.
    """
    return _Softplus().apply((x,))[0]


class HeteroscedasticESPCN3D(chainer.Chain):
    """3D-ESPCN that returns a Gaussian for each HR voxel; its mean is the super-resolved volume.

    The variance is what LR leaves open at that place, noise included: "intrinsic" or "aleatoric" uncertainty. It is not
    what the network does not know for want of training, so a scan unlike the training's need not get a larger one.

    Source: R. Tanno et al., MICCAI 2017, section 2, and "Uncertainty modelling in deep learning for safer neuroimage
    enhancement", NeuroImage 225:117366, 2021: two networks of their own, the second made positive by a softplus. They
    are trained together by the likelihood of the truth (`util.training.losses.gaussian_nll`).

    Args:
        sampling (~util.volumes.sampling.Sampling): As of `models.espcn3d.ESPCN3D`, and so are the others, of both
            networks.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        ksizes ((int, int, int)): Odd kernel sizes of conv1, conv2 and conv3.
        residual (str): Of the network of the mean.
        conv3_init (str): Of the network of the mean. In that of the variance, conv3 starts at 0 and its bias so that
            all voxels start at `START_VARIANCE`.

    Raises:
        ArgumentError: As of ESPCN3D.
    """

    def __init__(self, sampling, in_channels=1, ksizes=(3, 1, 3), residual='none', conv3_init='he_normal'):
        super().__init__()
        self.sampling, self.in_channels = sampling, in_channels
        with self.init_scope():
            try:
                self.mean = ESPCN3D(sampling, in_channels, ksizes, residual, conv3_init)
            except ArgumentError as error:
                raise ArgumentError(str(error)) from None  # of this network as well, whose arguments they are
            self.variance = ESPCN3D(sampling, in_channels, ksizes, conv3_init='zero')
        self.variance.conv3.b.array[...] = math.log(math.expm1(START_VARIANCE))
        self.halo = self.mean.halo

    def forward(self, x):
        """Super-resolve a batch.

        Args:
            x (~chainer.Variable or array): LR patches, (N, in_channels, D, H, W), float32.

        Returns:
            ~chainer.distributions.Normal: Of HR, (N, in_channels, r_z*D, r_y*H, r_x*W).
        """
        variance = softplus(self.variance(x)) + LEAST_VARIANCE
        return Normal(self.mean(x), scale=F.sqrt(variance))
