"""3D-ESPCN, the baseline network of Tanno et al. (MICCAI 2017)."""
import math

from chainer import initializers

from models.convolution_3d import Convolution3D
from models.icnr import ICNR
from models.network import ArgumentError
from models.upscaling import UpscalingNetwork, check_size, is_whole

CONV3_INITS = ('he_normal', 'icnr', 'zero')


class ESPCN3D(UpscalingNetwork):
    """Three convolutions on the LR volume, then the 3D pixel shuffler.

    Source: R. Tanno et al., "Bayesian Image Quality Transfer with CNNs: Exploring Uncertainty in dMRI
    Super-Resolution", MICCAI 2017, section 2 and Table 1.

    =======  ======  ==============  ==========
    layer    kernel  feature maps    activation
    =======  ======  ==============  ==========
    conv1    3x3x3   50              ReLU
    conv2    1x1x1   100             ReLU
    conv3    3x3x3   in_channels*r³  none
    shuffle          in_channels     none
    =======  ======  ==============  ==========

    Stride 1 and zero padding keep the size of the LR volume up to the shuffle.

    Args:
        sampling (~util.volumes.sampling.Sampling): The upsampling rate (r_z, r_y, r_x); r³ above is r_z*r_y*r_x. Its
            offset says where interpolation puts the LR voxels; unused without a residual.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        ksizes ((int, int, int)): Odd kernel sizes of conv1, conv2 and conv3.
        residual (str): ``'none'``, as the paper; or the network learns what to add to the LR volume's ``'nearest'`` or
            ``'linear'`` interpolation (`util.volumes.interpolation`).
        conv3_init (str): How conv3's weights start: ``'he_normal'``, as the reference; ``'icnr'`` (`models.icnr`), so
            that there is no checkerboard to unlearn; or ``'zero'``, so that with a residual the untrained network is
            the interpolation itself. (Weights that start at 0 learn, since what they multiply is not 0.)

    Raises:
        ArgumentError: If an argument is none of these, or the weights would take more than 2 GiB.
    """

    is_static = True

    def __init__(self, sampling, in_channels=1, ksizes=(3, 1, 3), residual='none', conv3_init='he_normal'):
        super().__init__(sampling, in_channels, residual)
        if (not isinstance(ksizes, (list, tuple)) or len(ksizes) != 3
                or not all(is_whole(k) and k > 0 and k % 2 for k in ksizes)):
            raise ArgumentError(f'ksizes must be three odd numbers, which keep the size of a volume; got {ksizes}')
        if conv3_init not in CONV3_INITS:
            raise ArgumentError(f'conv3_init {conv3_init!r} is unknown; allowed: {", ".join(CONV3_INITS)}')
        factor = math.prod(sampling.rate)
        k1, k2, k3 = map(int, ksizes)
        check_size(50 * (k1 ** 3 * in_channels + 1) + 100 * (k2 ** 3 * 50 + 1)
                   + in_channels * factor * (k3 ** 3 * 100 + 1),
                   f'in_channels {in_channels}, ksizes {ksizes} and the rate {sampling.rate}')
        self.set_halo(k1, k2, k3)
        with self.init_scope():
            self.conv1 = self.layer('conv1', in_channels, 50, k1, relu=True)
            self.conv2 = self.layer('conv2', 50, 100, k2, relu=True, initialW=initializers.HeNormal())
            he_normal = initializers.HeNormal()
            initial = {'he_normal': he_normal, 'icnr': ICNR(he_normal, factor), 'zero': 0}[conv3_init]
            self.conv3 = self.layer('conv3', 100, in_channels * factor, k3, initialW=initial)

    def layer(self, name, *arguments, **settings):
        """The convolution of that name, from Convolution3D's arguments. A network with other ones overrides this."""
        return Convolution3D(*arguments, **settings)

    def forward(self, x):
        """Super-resolve a batch: (N, in_channels, D, H, W) -> (N, in_channels, r_z*D, r_y*H, r_x*W), float32."""
        return self.upscale(self.conv3(self.conv2(self.conv1(x))), x)
