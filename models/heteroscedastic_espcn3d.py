"""Two 3D-ESPCNs, one for the mean of HR and one for its variance: the paper's intrinsic uncertainty."""
import chainer
import chainer.functions as F
from chainer.distributions import Normal

from models.espcn3d import ESPCN3D
from models.network import ArgumentError
from models.variance import VarianceESPCN3D


class HeteroscedasticESPCN3D(chainer.Chain):
    """3D-ESPCN that returns a Gaussian for each HR voxel; its mean is the super-resolved volume.

    The variance is what LR leaves open at that place, noise included: "intrinsic" or "aleatoric" uncertainty. It is not
    what the network does not know for want of training, so a scan unlike the training's need not get a larger one
    (`models.bayesian_espcn3d` adds that).

    Source: R. Tanno et al., MICCAI 2017, section 2, and "Uncertainty modelling in deep learning for safer neuroimage
    enhancement", NeuroImage 225:117366, 2021: two networks of their own, the second made positive by a softplus. They
    are trained together by the likelihood of the truth (`util.training.losses.gaussian_nll`).

    Args:
        sampling (~util.volumes.sampling.Sampling): As of `models.espcn3d.ESPCN3D`, and so are the others, of both
            networks.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        ksizes ((int, int, int)): Odd kernel sizes of conv1, conv2 and conv3.
        residual (str): Of the network of the mean.
        conv3_init (str): Of the network of the mean.

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
            self.variance = VarianceESPCN3D(sampling, in_channels, ksizes)
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
