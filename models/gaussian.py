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
        fixed_mean (bool): Whether a training leaves the network of the mean as it is, and teaches the other one alone.

    Raises:
        ArgumentError: If the network of the mean is given a wrong argument, which is this one's as well, or
            ``fixed_mean`` is not a bool.
    """

    def __init__(self, sampling, in_channels, make_mean, make_variance, fixed_mean=False):
        super().__init__()
        if not isinstance(fixed_mean, bool):
            raise ArgumentError(f'fixed_mean must be true or false; got {fixed_mean!r}')
        self.sampling, self.in_channels, self.fixed_mean = sampling, in_channels, fixed_mean
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
        variance, mean = self.variance(x), self.mean(x)
        if self.fixed_mean:
            mean = chainer.as_variable(mean.array)  # without the way back: no gradient reaches its weights
        return Normal(mean, scale=F.sqrt(variance))
