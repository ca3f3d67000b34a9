"""Volumes and files of every format that the tests read, and what they ask of them."""
import os

import numpy
import pytest
import SimpleITK as sitk

from util.script import UserError
from util.volumes.reading import read_volume
from util.volumes.volume import Volume

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def make_volume(seed=0, dtype=numpy.int16, size=(5, 6, 7), channels=1):
    array = (numpy.random.default_rng(seed).random((channels, *size)) * 100).astype(dtype)
    return Volume(array, (1.0, 4 / 3, 1 / 3), (-80.1, 100 / 3, 1e-7), OBLIQUE)


def make_geometry(volume):
    return volume.spacing, volume.origin, volume.direction


def affine_of(volume):
    """nibabel's affine of where a volume lies: (4, 4), RAS."""
    affine = numpy.eye(4)
    affine[:3, :3] = numpy.reshape(volume.direction, (3, 3)) * volume.spacing
    affine[:3, 3] = volume.origin
    return numpy.diag([-1, -1, 1, 1]) @ affine


def assert_same(a, b):
    assert a.array.dtype == b.array.dtype and a.array.flags.c_contiguous
    numpy.testing.assert_array_equal(a.array, b.array)
    assert make_geometry(a) == make_geometry(b)


def refusal(path):
    """The one line that says why a file is not read."""
    with pytest.raises(UserError) as caught:
        read_volume(path)
    message = str(caught.value)
    assert message.startswith(f'{path}: ') and '\n' not in message
    return message


def save(path, array, spacing=(1, 1, 1), compressed=False):
    """Write an array (z, y, x) by SimpleITK."""
    image = sitk.GetImageFromArray(array, isVector=False)
    image.SetSpacing(spacing + (1,) * (image.GetDimension() - 3))
    sitk.WriteImage(image, str(path), compressed)
    return path


def channel_images(volume):
    """Each channel as a SimpleITK image in the volume's place."""
    images = [sitk.GetImageFromArray(array) for array in volume.array]
    for image in images:
        for set_value, value in zip((image.SetSpacing, image.SetOrigin, image.SetDirection), make_geometry(volume)):
            set_value(value)
    return images


def save_frames(path, volume):
    """A 4D file: the channels one after the other, 2.5 s apart."""
    sitk.WriteImage(sitk.JoinSeries(channel_images(volume), 0.0, 2.5), str(path))
    return path


def save_components(path, volume):
    """A vector file: the channels as several values per voxel."""
    sitk.WriteImage(sitk.Compose(channel_images(volume)), str(path))
    return path


def patch(path, start, content):
    """Put bytes into a file."""
    with open(path, 'r+b') as file:
        file.seek(start)
        file.write(content)
    return path


def names(folder):
    return sorted(os.listdir(folder))
