"""3D-ESPCN with uncertain weights: the paper's parameter uncertainty, alone or with the intrinsic one."""
import functools

import chainer
import chainer.functions as F
from chainer.distributions import Normal

from models.convolution_3d import Convolution3D
from models.espcn3d import ESPCN3D
from models.gaussian import GaussianNetwork
from models.network import ArgumentError, BayesianNetwork, Predictive
from models.noise import Noise
from models.noisy_convolution_3d import DroppedInputs, VariationalConvolution3D
from models.pixel_shuffler_3d import pixel_shuffler_3d
from models.variance import ConstantVariance, VarianceESPCN3D

# name -> the layers that have noise, and what makes them; it is given the noise of the training
DROPOUTS = {
    'binary': (('conv2', 'conv3'), DroppedInputs),
    'per_weight': (('conv1', 'conv2', 'conv3'), functools.partial(VariationalConvolution3D, per_kernel=False)),
    'per_kernel': (('conv1', 'conv2', 'conv3'), functools.partial(VariationalConvolution3D, per_kernel=True)),
}
LEAST_GRADIENT = 1e-16
VARIANCES = ('heteroscedastic', 'homoscedastic')


class NoisyESPCN3D(ESPCN3D):
    """A 3D-ESPCN, of convolutions whose weights are uncertain.

    Args:
        dropout (str): A name of :data:`DROPOUTS`. The others are as of ESPCN3D.
    """

    def __init__(self, dropout, *arguments):
        self.noise = Noise()
        self.noisy, self._make = DROPOUTS[dropout]
        super().__init__(*arguments)

    def layer(self, name, *arguments, **settings):
        if name in self.noisy:
            return self._make(*arguments, noise=self.noise, **settings)
        return Convolution3D(*arguments, **settings)

    def divergence(self):
        """The sum over the layers, in nats: 0 or a scalar Variable."""
        return sum(self[name].divergence() for name in self.noisy)

    def drawn(self, x, generators):
        """conv3's output (N, C*r³, D, H, W), a Variable, for one draw of the weights after another."""
        for h, generator in self._before_conv3(x, generators):
            yield self.conv3.drawn(h, generator)

    def moments(self, x, generators):
        """Mean and variance of conv3's output over draws of the weights, arrays (N, C*r³, D, H, W)."""
        generators = list(generators)
        return self.conv3.moments(self._before_conv3(x, generators), len(generators))

    def _before_conv3(self, x, generators):
        """conv3's input for one draw after another, and its generator; what has no noise is computed once."""
        names = ['conv1', 'conv2']
        while names[0] not in self.noisy:
            x = self[names.pop(0)](x)
        for generator in generators:
            h = x
            for name in names:
                h = self[name].drawn(h, generator)
            yield h, generator


class BayesianESPCN3D(GaussianNetwork, BayesianNetwork):
    """3D-ESPCN that returns a Gaussian for each HR voxel, and of which many networks can be drawn.

    Its variance is the intrinsic uncertainty, as of `models.heteroscedastic_espcn3d`. How much the drawn networks
    differ is the parameter uncertainty: what the training did not settle.

    Source: R. Tanno et al., MICCAI 2017, section 2, and NeuroImage 225:117366, 2021. There the network of the variance
    has uncertain weights, too; here it has none (docs/departures.md).

    Args:
        sampling (~util.volumes.sampling.Sampling): As of `models.espcn3d.ESPCN3D`, and so are the others, of both
            networks.
        in_channels (int): Channels of the LR volume, and of the HR volume.
        ksizes ((int, int, int)): Odd kernel sizes of conv1, conv2 and conv3.
        residual (str): Of the network of the mean.
        conv3_init (str): Of the network of the mean.
        dropout (str): How the weights of the mean's network are uncertain (`models.noisy_convolution_3d`):
            ``'per_weight'`` or ``'per_kernel'``, variational dropout of the paper's type I or II, which learn how much;
            or ``'binary'``, which leaves out feature maps.
        variance (str): ``'heteroscedastic'``: of a second 3D-ESPCN, for each voxel. ``'homoscedastic'``: one number
            for each channel, learned.

    Raises:
        ArgumentError: If ``dropout`` or ``variance`` is none of these, and as of ESPCN3D.
    """

    def __init__(self, sampling, in_channels=1, ksizes=(3, 1, 3), residual='none', conv3_init='he_normal',
                 dropout='per_weight', variance='heteroscedastic'):
        for key, value, names in (('dropout', dropout, tuple(DROPOUTS)), ('variance', variance, VARIANCES)):
            if value not in names:
                raise ArgumentError(f'{key} {value!r} is unknown; allowed: {", ".join(names)}')
        super().__init__(sampling, in_channels,
                         lambda: NoisyESPCN3D(dropout, sampling, in_channels, ksizes, residual, conv3_init),
                         lambda: (VarianceESPCN3D(sampling, in_channels, ksizes) if variance == 'heteroscedastic'
                                  else ConstantVariance(sampling, in_channels)))

    def seed_noise(self, *numbers, batchsize=None, share=slice(None)):
        self.mean.noise.seed(*numbers, batchsize=batchsize, share=share)

    def tune(self, optimizer):
        """Let Adam see the gradients of alpha: per voxel they are below the 1e-8 that it adds to their size."""
        for name, param in self.mean.namedparams():
            if name.endswith('/spread'):
                param.update_rule.hyperparam.eps = LEAST_GRADIENT

    def divergence(self):
        return self.mean.divergence()

    def sample(self, x, generators):
        scale = F.sqrt(self.variance(x))
        for h in self.mean.drawn(x, generators):
            yield Normal(self.mean.upscale(h, x), scale)

    def predictive(self, x, generators):
        # Of what the shuffler takes: it and the residual are the same for every draw.
        mean, parameter = self.mean.moments(x, generators)
        mean = self.mean.upscale(chainer.as_variable(mean), x)
        return Predictive(mean.array, self.variance(x).array, pixel_shuffler_3d(parameter, self.sampling.rate).array)
