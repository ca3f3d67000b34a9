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

The constructor raises :class:`ArgumentError` for arguments that cannot be, which a user is told in one line. Any other
exception is a mistake in the network, and is shown with its traceback.
"""
import chainer
from chainer.distribution import Distribution

from util.volumes.sampling import Sampling

ATTRIBUTES = {'sampling': Sampling, 'halo': int, 'in_channels': int}  # name -> type
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
        maps (dict): Name -> array.

    Returns:
        An array, or a distribution.
    """
    return kind(**maps) if issubclass(kind, Distribution) else maps[POINT]
