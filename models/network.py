"""What a network of this project is, written once; training, inference and scores take any network that keeps it.

A network is a :class:`chainer.Chain`. It is made as ``Name(sampling=..., **args)``, with the config's ``args``, and has
the attributes

===============  ======================================================================================================
``sampling``     ~util.volumes.sampling.Sampling: the rate (r_z, r_y, r_x), and where LR voxels lie among HR voxels
``halo``         int: how many LR voxels beyond its own place an output voxel depends on; tiles are read with as many
``in_channels``  int: channels C of the LR volume, and of the HR volume
===============  ======================================================================================================

Called with LR patches (N, C, D, H, W), float32, it returns a prediction of HR, (N, C, r_z*D, r_y*H, r_x*W): a
:class:`chainer.Variable`, or a :class:`chainer.distribution.Distribution` all of whose ``params`` have that shape, such
as ``chainer.distributions.Normal(loc, scale)``, and whose class takes its ``params`` by name. Its mean is the
super-resolved volume, and its standard deviation says how sure the network is, if the loss has taught it to: the losses
that look at the mean alone leave it as it was.

The class of a network may itself have the attribute ``is_static``, True (a subclass says so again): its forward pass
starts the same computations for each batch of one shape, without random numbers and without numbers from the host or
for it. On an NVIDIA GPU a training then records them once (`util.training.recording`) and takes a fraction of the
time.

A network may have the attribute ``fixed_mean``, True: a training leaves its mean as it is (:func:`has_fixed_mean`).

A network whose weights are uncertain is a :class:`BayesianNetwork` as well.

The constructor raises :class:`ArgumentError` for arguments that cannot be, which a user is told in one line. Any other
exception is a mistake in the network, and is shown with its traceback.
"""
from typing import NamedTuple

import chainer
from chainer.distribution import Distribution

from models.spread import Spread
from util.volumes.sampling import Sampling

ATTRIBUTES = {'sampling': Sampling, 'halo': int, 'in_channels': int}  # name -> type
POINT = 'point'  # the one map of a prediction that is an array


class ArgumentError(ValueError):
    """An argument of a network that cannot be; its text says what is allowed."""


def has_fixed_mean(net):
    """Whether a training leaves what the network says of HR as it is, and teaches its deviation alone."""
    return getattr(net, 'fixed_mean', False)


class Predictive(NamedTuple):
    """What many draws of the weights say of HR: arrays (N, C, r_z*D, r_y*H, r_x*W), float32."""
    mean: object       # the mean of the draws' means
    intrinsic: object  # variance: the mean of the draws' variances; what LR leaves open. None of a network without
    parameter: object  # variance: that of the draws' means; what the training leaves open


class BayesianNetwork(chainer.Chain):
    """A network whose weights are uncertain: they have a distribution, and stand for many networks.

    Called in use, it computes with the mean weights; in training (``chainer.config.train``) with noise.
    """

    def seed_noise(self, *numbers, batchsize=None, share=slice(None)):
        """Begin the noise of the training anew, before each batch: so a resumed training sees the same.

        Args:
            numbers (int): 0 or more, such as the experiment's seed and the iteration.
            batchsize (int): Examples of the whole batch; None: as many as the network is called with.
            share (slice): Which of these it is called with. Each gets the noise that it has in the whole batch.
        """
        raise NotImplementedError

    def tune(self, optimizer):
        """Change how an optimizer, set up with this network, goes about single parameters; by default not at all."""

    def divergence(self):
        """Kullback-Leibler divergence of the weights' distribution from their prior.

        Returns:
            ~chainer.Variable or 0: Scalar, in nats; 0 where the training asks for none.
        """
        raise NotImplementedError

    def sample(self, x, generators):
        """The predictions of drawn networks.

        A generator in the same state draws the same weights, whatever x is: so the tiles of a volume, each with fresh
        generators of the same seeds, fit together without seams.

        Args:
            x (array): LR patches, (N, C, D, H, W), float32, on the network's device.
            generators (iterable of numpy.random.Generator): One for each draw.

        Yields:
            ~chainer.Variable or ~chainer.distribution.Distribution: As the network itself returns.
        """
        raise NotImplementedError

    def predictive(self, x, generators):
        """Mean and variances over drawn networks; arguments as of :meth:`sample`, two generators or more.

        Source: R. Tanno et al., NeuroImage 225:117366, 2021: by the law of total variance, the prediction's is the mean
        of the variances ("intrinsic") plus the variance of the means ("parameter"). The latter is the unbiased
        estimate, of T draws over T - 1.

        Returns:
            Predictive: One draw at a time is in memory.
        """
        means, variances = Spread(), Spread()
        for prediction in self.sample(x, generators):
            means.add(chainer.as_variable(mean_of(prediction)).array)
            if isinstance(prediction, Distribution):
                variances.add(prediction.variance.array)
        return Predictive(means.mean(), variances.mean() if variances.count else None, means.variance())


def mean_of(prediction):
    """The point estimate of a prediction: the mean of a distribution, or the array itself."""
    return prediction.mean if isinstance(prediction, Distribution) else prediction


def take_apart(prediction):
    """A prediction as arrays that can be cut into tiles.

    Args:
        prediction (~chainer.Variable, array or ~chainer.distribution.Distribution): What a network returned, of HR
            patches, (N, C, r_z*D, r_y*H, r_x*W).

    Returns:
        dict: Name -> array of that shape. One map, ``'point'``, or the parameters of the distribution by their names.
    """
    if isinstance(prediction, Distribution):
        return {name: chainer.as_variable(param).array for name, param in prediction.params.items()}
    return {POINT: chainer.as_variable(prediction).array}


def check_prediction(prediction, shape):
    """See that a network returned what it must.

    Args:
        prediction: What it returned.
        shape (tuple): The HR patches' shape, (N, C, r_z*D, r_y*H, r_x*W).

    Returns:
        dict: What :func:`take_apart` makes of it.

    Raises:
        TypeError: If it is neither a Variable nor a distribution.
        ValueError: If it has another shape, such as a second output that is one more channel.
    """
    if not isinstance(prediction, (chainer.Variable, Distribution)):
        raise TypeError(f'the network returned a {type(prediction).__name__}; it must return a Variable or a Chainer '
                        'distribution (models/network.py)')
    maps = take_apart(prediction)
    for name, array in maps.items():
        if array.shape != shape:
            raise ValueError(f'the network returned {array.shape} (N, channels, z, y, x), as its {name}, where {shape} '
                             'is wanted; a second output belongs in a distribution (models/network.py)')
    return maps


def put_together(kind, maps):
    """The prediction of which :func:`take_apart` made the maps.

    Args:
        kind (type): The type of the prediction.
        maps (dict): Name -> array, all of one shape, such as (C, z, y, x) of a volume.

    Returns:
        array or ~chainer.distribution.Distribution: The map ``'point'``, or a distribution of these parameters.
    """
    return kind(**maps) if issubclass(kind, Distribution) else maps[POINT]
