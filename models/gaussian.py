"""A Gaussian for each HR voxel, of a network of the mean and a network of the variance."""
import chainer
import chainer.functions as F
from chainer.distributions import Normal

from models.network import ArgumentError


class GaussianNetwork(chainer.Chain):
    """A network that returns a Gaussian; its mean is the super-resolved volume.

    Args:
        sampling (~util.volumes.sampling.Sampling): Of both networks.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        make_mean, make_variance: Functions that make the two networks, of LR patches (N, C, D, H, W) to HR patches.

    Raises:
        ArgumentError: If the network of the mean is given a wrong argument, which is this one's as well.
    """

    def __init__(self, sampling, in_channels, make_mean, make_variance):
        super().__init__()
        self.sampling, self.in_channels = sampling, in_channels
        with self.init_scope():
            try:
                self.mean = make_mean()
            except ArgumentError as error:
                raise ArgumentError(str(error)) from None
            self.variance = make_variance()
        self.halo = self.mean.halo

    def forward(self, x):
        """Super-resolve a batch.

        Args:
            x (~chainer.Variable or array): LR patches, (N, in_channels, D, H, W), float32.

        Returns:
            ~chainer.distributions.Normal: Of HR, (N, in_channels, r_z*D, r_y*H, r_x*W).
        """
        variance = self.variance(x)
        return Normal(self.mean(x), scale=F.sqrt(variance))
