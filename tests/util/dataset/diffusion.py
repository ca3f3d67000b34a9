"""Diffusion series made of known tensors, for the tests that fit them."""
import nibabel
import numpy

from util.volumes.tensors import UNIT, as_matrices

BVALS = numpy.array([0] + [1000] * 12)
# the corners of an icosahedron, one of each pair of opposite ones twice over: as real series have them
_CORNERS = numpy.array([[0, 1, 1.618], [0, 1, -1.618], [1, 1.618, 0], [1, -1.618, 0], [1.618, 0, 1], [-1.618, 0, 1]])
VECTORS = numpy.concatenate([[[0, 0, 0]], *[_CORNERS / numpy.linalg.norm(_CORNERS[0])] * 2])
LAS, RAS = numpy.diag([-2.0, 2.5, 3, 1]), numpy.diag([2.0, 2.5, 3, 1])


def ball(size=(20, 18, 16), radius=6):
    """Where a brain is, bool, (x, y, z)."""
    places = numpy.indices(size) - numpy.reshape(size, (3, 1, 1, 1)) / 2 + 0.5
    return (places ** 2).sum(axis=0) < radius ** 2


def tensor_field(size=(20, 18, 16), seed=0):
    """Positive tensors (6, x, y, z), along the axes x, y, z, that change from voxel to voxel."""
    rng = numpy.random.default_rng(seed)
    field = rng.uniform(-0.1, 0.1, (6, *size))
    field[[0, 2, 5]] += numpy.reshape([1.2, 0.8, 0.6], (3, 1, 1, 1))
    return field


def signals(field, inside, bvals=BVALS, vectors=VECTORS):
    """Noise-free images (x, y, z, N) of the tensors, 1000 at b = 0 in the brain, and 5 outside of it."""
    matrices = as_matrices(field.reshape(6, -1))
    decay = numpy.exp(-numpy.einsum('n,ni,vij,nj->vn', bvals * UNIT, vectors, matrices, vectors))
    return numpy.where(inside[..., None], 1000 * decay.reshape(*inside.shape, -1), 5)


def save_series(path, images, affine=LAS, bvals=BVALS, vectors=VECTORS):
    """Write NAME.nii.gz, NAME.bval and NAME.bvec, as FSL has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(images.astype(numpy.float32), affine), path)
    stem = path.name.removesuffix('.nii.gz')
    numpy.savetxt(path.with_name(f'{stem}.bval'), bvals[None], '%g')
    numpy.savetxt(path.with_name(f'{stem}.bvec'), vectors.T, '%.9g')
