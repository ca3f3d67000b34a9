"""3D convolutions whose weights are uncertain: each stands for the networks that the training leaves possible.

All are a `models.convolution_3d.Convolution3D` of the mean weights, and compute that in use. In training they add
noise. :meth:`drawn` convolves with weights of one draw: the same everywhere in a volume, so that tiles fit together.
"""
import chainer
import chainer.functions as F
import numpy

from models.convolution_3d import Convolution3D, convolution_3d
from models.divergence import divergence
from models.draw import draw
from models.moments import moments
from models.spread import Spread

DROPPED = 0.1        # share of the feature maps that binary dropout leaves out, as the paper
START_ALPHA = 0.01   # variance of a weight over its squared mean, of an untrained network
STEP = 10            # of log alpha for a step of 1 of its parameter: alpha has to go through powers of ten


class DroppedInputs(Convolution3D):
    """Binary dropout: whole feature maps of the input are left out, :data:`DROPPED` of them, and the others grow.

    Source: N. Srivastava et al., JMLR 2014; by whole maps, J. Tompson et al., CVPR 2015, since neighbours within a map
    say nearly the same. At test "MC dropout", Y. Gal and Z. Ghahramani, ICML 2016: each draw leaves out other maps.

    Args:
        noise (Noise): Of the training. The others are as of Convolution3D.
    """

    def __init__(self, *arguments, noise, **settings):
        super().__init__(*arguments, **settings)
        self.noise = noise

    def forward(self, x):
        if chainer.config.train:
            x = x * self._factors(self.noise.uniform(self.xp, x.shape[:2] + (1, 1, 1)))
        return super().forward(x)

    def drawn(self, x, generator):
        """Convolve with one draw of the weights.

        Args:
            x (~chainer.Variable or array): (N, in_channels, D, H, W).
            generator (numpy.random.Generator): Where the draw comes from.

        Returns:
            ~chainer.Variable: (N, out_channels, D, H, W).
        """
        factors = self._factors(generator.random((1, self.W.shape[1], 1, 1, 1), dtype=numpy.float32))
        return convolution_3d(x, self.W * self.device.send(factors), self.b, self.relu)

    def moments(self, draws, count):
        """Mean and variance of the output over draws of the input and of the weights.

        Args:
            draws (iterable): Pairs: a draw of the input (N, in_channels, D, H, W), a Variable or an array, and where
                the draw of the weights comes from (numpy.random.Generator).
            count (int): How many they are, 2 or more.

        Returns:
            (array, array): (N, out_channels, D, H, W); the variance is the unbiased one.
        """
        spread = Spread()
        for x, generator in draws:
            spread.add(self.drawn(x, generator).array)
        return spread.mean(), spread.variance()

    @staticmethod
    def _factors(uniform):
        return (uniform >= DROPPED).astype(numpy.float32) / numpy.float32(1 - DROPPED)

    def divergence(self):
        """0: binary dropout has no prior of which this were known."""
        return 0


class VariationalConvolution3D(Convolution3D):
    """Variational dropout: each weight w is Gaussian, with mean ``W`` and variance alpha W^2; alpha is learned.

    In training the outputs are drawn, and not the weights ("local reparametrisation"): of an input x the output has the
    mean x * W + b and the variance x^2 * (alpha W^2), and each voxel a draw of its own. That gives gradients of much
    less noise.

    Source: D. P. Kingma, T. Salimans and M. Welling, "Variational dropout and the local reparameterization trick",
    NIPS 2015; the prior is uniform in log |w|. Used for 3D-ESPCN by R. Tanno et al., MICCAI 2017, section 2.

    Args:
        noise (Noise): Of the training.
        per_kernel (bool): Whether the weights of an output channel share one alpha ("type II"), or each has its own
            ("type I"). The others are as of Convolution3D.

    Attributes:
        spread (~chainer.Parameter): log alpha / :data:`STEP`, (out_channels, in_channels*k_z*k_y*k_x), or
            (out_channels, 1).
    """

    def __init__(self, *arguments, noise, per_kernel, **settings):
        super().__init__(*arguments, **settings)
        self.noise = noise
        with self.init_scope():
            shape = len(self.W), 1 if per_kernel else self.W[0].size
            self.spread = chainer.Parameter(numpy.log(START_ALPHA) / STEP, shape)

    @property
    def log_alpha(self):
        """~chainer.Variable: log alpha, of the shape of ``spread``."""
        return STEP * self.spread

    def _alpha(self):
        alpha = F.exp(self.log_alpha)
        return F.reshape(alpha, self.W.shape if alpha.shape[1] > 1 else (-1, 1, 1, 1, 1))

    def _variance(self):
        weights = self.W * self.W
        return F.broadcast_to(self._alpha(), weights.shape) * weights

    def forward(self, x):
        if not chainer.config.train:
            return super().forward(x)
        mean, variance = convolution_3d(x, self.W, self.b), convolution_3d(F.square(x), self._variance())
        n, channels, depth, height, width = mean.shape
        noise = self.noise.normal(self.xp, (n, depth, height, width, channels))
        return draw(mean, variance, noise.transpose(0, 4, 1, 2, 3), self.relu)

    def drawn(self, x, generator):
        """Convolve with one draw of the weights; as of :class:`DroppedInputs`."""
        normal = self.device.send(generator.standard_normal(self.W.shape, dtype=numpy.float32))
        alpha = F.broadcast_to(self._alpha(), self.W.shape)
        return convolution_3d(x, self.W * (1 + F.sqrt(alpha) * normal), self.b, self.relu)

    def moments(self, draws, count):
        """As of :class:`DroppedInputs`, before rectification, and without a draw of the weights (`models.moments`)."""
        return moments((chainer.as_variable(x).array for x, _ in draws), count, self.W, self.b, self._variance())

    def divergence(self):
        """Kullback-Leibler divergence of the weights from their prior, in nats; 0 where alpha is infinite.

        Returns:
            ~chainer.Variable: Scalar, float32.
        """
        return divergence(self.log_alpha) * (self.W.size / self.spread.size)
