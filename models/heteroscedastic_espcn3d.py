"""Two 3D-ESPCNs, one for the mean of HR and one for its variance: the paper's intrinsic uncertainty."""
from models.espcn3d import ESPCN3D
from models.gaussian import GaussianNetwork
from models.variance import VarianceESPCN3D


class HeteroscedasticESPCN3D(GaussianNetwork):
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
        fixed_mean (bool): As of `models.gaussian.GaussianNetwork`.

    Raises:
        ArgumentError: As of ESPCN3D and GaussianNetwork.
    """

    is_static = True

    def __init__(self, sampling, in_channels=1, ksizes=(3, 1, 3), residual='none', conv3_init='he_normal',
                 fixed_mean=False):
        super().__init__(sampling, in_channels,
                         lambda: ESPCN3D(sampling, in_channels, ksizes, residual, conv3_init),
                         lambda: VarianceESPCN3D(sampling, in_channels, ksizes), fixed_mean)
