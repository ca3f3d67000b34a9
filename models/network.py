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
as ``chainer.distributions.Normal(loc, scale)``. Its mean is the super-resolved volume, and its standard deviation says
how sure the network is.

The constructor raises :class:`ArgumentError` for arguments that cannot be, which a user is told in one line. Any other
exception is a mistake in the network, and is shown with its traceback.
"""
import chainer
from chainer.backends import cuda
from chainer.distribution import Distribution
import numpy

ATTRIBUTES = 'sampling', 'halo', 'in_channels'
POINT = 'point'  # the one map of a prediction that is an array


class ArgumentError(ValueError):
    """An argument of a network that cannot be; its text says what is allowed."""


def mean_of(prediction):
    """The point estimate of a prediction: the mean of a distribution, or the array itself."""
    return prediction.mean if isinstance(prediction, Distribution) else prediction


def take_apart(prediction):
    """A prediction as arrays that can be cut into tiles.

    Args:
        prediction (~chainer.Variable, array or ~chainer.distribution.Distribution): What a network returned.

    Returns:
        dict: Name -> array. One map, ``'point'``, or the parameters of the distribution by their names.

    Raises:
        TypeError: If it is anything else, such as a tuple.
    """
    if isinstance(prediction, Distribution):
        return {name: chainer.as_variable(param).array for name, param in prediction.params.items()}
    if isinstance(prediction, (chainer.Variable, numpy.ndarray, cuda.ndarray)):
        return {POINT: chainer.as_variable(prediction).array}
    raise TypeError(f'the network returned a {type(prediction).__name__}; it must return a Variable or a Chainer '
                    'distribution (models/network.py)')


def put_together(kind, maps):
    """The prediction of which :func:`take_apart` made the maps.

    Args:
        kind (type): The type of the prediction.
        maps (dict): Name -> array.

    Returns:
        An array, or a distribution.
    """
    return kind(**maps) if issubclass(kind, Distribution) else maps[POINT]
