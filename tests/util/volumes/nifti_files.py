"""Files that nibabel writes, with headers as asked, and what nibabel says of them."""
import gzip

import nibabel
import numpy
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat

from tests.util.volumes.files import affine_of
from util.volumes.reading import read_volume

SHAPE = (7, 6, 5)
ROTATION = euler2mat(0.3, -0.5, 0.2)
AFFINES = {
    'straight': from_matvec(numpy.diag([2.0, 1.5, 1.0]), [-70, 20, 5]),
    'oblique': from_matvec(ROTATION * [1.0, 4 / 3, 3.0], [-70.3, 20.1, 5.7]),
    'left-handed': from_matvec(ROTATION * [-1.0, 4 / 3, 3.0], [70.3, 20.1, 5.7]),
    'axes in another order': from_matvec(numpy.eye(3)[:, [2, 0, 1]] * [0.9, 1.1, -1.3], [1, 2, 3]),
}
CORNERS = numpy.vstack([numpy.indices((2, 2, 2)).reshape(3, 8) * numpy.reshape(SHAPE, (3, 1)) - 0.5, numpy.ones(8)])


def voxels(dtype=numpy.int16, shape=SHAPE):
    return (numpy.random.default_rng(1).random(shape) * 100).astype(dtype)


def save(path, array=None, affine='oblique', klass=nibabel.Nifti1Image, **fields):
    """Write an image by nibabel, with fields of its header set afterwards."""
    image = klass(voxels() if array is None else array, AFFINES[affine])
    for name, value in fields.items():
        image.header[name] = value
    if fields and klass is not nibabel.MGHImage:
        with open(path, 'wb') as file:
            content = image.header.binaryblock + b'\0' * 4 + image.dataobj.tobytes('F')
            file.write(gzip.compress(content) if str(path).endswith('.gz') else content)
    else:
        nibabel.save(image, path)
    return path


def load(path):
    if path.suffix == '.mgh':  # nibabel.load leaves such a file open
        return nibabel.MGHImage.from_bytes(path.read_bytes())
    return nibabel.load(path)


def assert_nibabel(path):
    """The file's data and place are nibabel's: within a millionth of a millimetre at the corners."""
    volume, image = read_volume(path), load(path)
    expected = numpy.asanyarray(image.dataobj)
    numpy.testing.assert_array_equal(volume.array.reshape(expected.shape[::-1]), expected.T)
    assert volume.array.dtype == expected.dtype.newbyteorder('=') and volume.array.flags.c_contiguous
    numpy.testing.assert_allclose(affine_of(volume) @ CORNERS, image.affine @ CORNERS, rtol=0, atol=1e-6)
    return volume
