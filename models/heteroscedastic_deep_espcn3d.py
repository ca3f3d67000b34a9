"""The deeper network for the mean of HR, and a 3D-ESPCN for its variance."""
from models.deep_espcn3d import DeepESPCN3D
from models.gaussian import GaussianNetwork
from models.variance import VarianceESPCN3D


class HeteroscedasticDeepESPCN3D(GaussianNetwork):
    """The deeper network, with a Gaussian for each HR voxel, as `models.heteroscedastic_espcn3d` has it.

    The variance is learned by the paper's small network: how large an error is to be expected depends on less than what
    the voxel's value is.

    Args:
        sampling (~util.volumes.sampling.Sampling): As of `models.deep_espcn3d.DeepESPCN3D`, and so are the others.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        width (int): Of the network of the mean.
        blocks (int): Of the network of the mean.
        residual (str): Of the network of the mean.
        fixed_mean (bool): As of `models.gaussian.GaussianNetwork`.

    Raises:
        ArgumentError: As of DeepESPCN3D and GaussianNetwork.
    """

    is_static = True

    def __init__(self, sampling, in_channels=1, width=48, blocks=6, residual='linear', fixed_mean=False):
        super().__init__(sampling, in_channels,
                         lambda: DeepESPCN3D(sampling, in_channels, width, blocks, residual),
                         lambda: VarianceESPCN3D(sampling, in_channels), fixed_mean)
