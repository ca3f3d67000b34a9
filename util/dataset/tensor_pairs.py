"""From diffusion series to pairs of tensor volumes: LR is fitted to images that were degraded, as a scanner would.

So an LR tensor is not the mean of HR tensors: the fit is not linear. Source: R. Tanno et al., MICCAI 2017, section 3.
"""
import numpy

from util.dataset.gradients import B0, read_series
from util.script import UserError, blaming, note
from util.volumes.degradation import degrade, noise_rng
from util.volumes.geometry import crop_to_multiple, lr_volume_geometry
from util.volumes.tensors import UNIT, as_matrices, from_matrices
from util.volumes.volume import Volume

LARGEST = 4.0  # in UNIT: no diffusivity in a head is above that of free water, 3; a third more may be noise
FAINTEST = 1e-3  # of the brain's mean b = 0 signal: no scanner tells less from nothing
_VOXELS = 5000  # that are fitted at a time


def make_tensor_pair(path, case, config):
    """The LR and the HR tensor volume of a diffusion series.

    The config's degradation is that of the diffusion images; each set of images is then fitted by itself. Both are 0
    outside of the brain, which is one of whole LR voxels: those of whose block of HR voxels half or more lies in the
    brain (:func:`brain_mask`). With a finer border in HR a network would have to guess, in each voxel near to it,
    whether there is a tensor at all, and what it learns then is a value between that and 0.

    Args:
        path (Path): The series (`util.dataset.gradients.read_series`).
        case (str): Its name, of which the noise depends.
        config (~util.config.Config): The experiment.

    Returns:
        (~util.volumes.volume.Volume, ~util.volumes.volume.Volume): LR and HR, (6, z, y, x), float32, as
        `util.volumes.tensors` has them.

    Raises:
        UserError: If the series cannot be read, is smaller than the rate, or shows no brain; or dipy is missing.
    """
    series, degradation, rate = read_series(path), config.degradation, config.upsampling_rate
    with blaming(path):
        hr = crop_to_multiple(series.images, rate)
        lr_mask, hr_mask = _whole_blocks(brain_mask(hr.array[series.bvals > B0].mean(axis=0)), rate)
        if not lr_mask.any():
            raise UserError(f'its brain fills no LR voxel by half, at the rate {rate} (z, y, x)')
    lr = degrade(hr.array, rate, degradation.name, degradation.noise_sigma, noise_rng(config.seed, case),
                 **degradation.settings)
    tensors = []
    for kind, images, where in (('LR', lr, lr_mask), ('HR', hr.array, hr_mask)):
        array, said = fit_tensors(images, where, series.bvals, series.vectors)
        tensors.append(array)
        note(f'{path}: {kind}: {said}')
    return Volume(tensors[0], *lr_volume_geometry(hr, config.sampling)), Volume(tensors[1], hr.spacing, hr.origin,
                                                                                hr.direction)


def brain_mask(weighted):
    """The brain: dipy's median Otsu, its largest part, with holes filled.

    Of the mean diffusion-weighted image: there the eyes and the liquid around the brain are dark.

    Args:
        weighted (numpy.ndarray): (z, y, x).

    Returns:
        numpy.ndarray: bool, (z, y, x).

    Raises:
        UserError: If nothing is brighter than the rest, or dipy is missing.
    """
    from scipy import ndimage  # here, since it takes a while

    _, median_otsu = _dipy()
    if not weighted.min() < weighted.max():
        raise UserError(f'no brain can be found: its diffusion images are {weighted.min():g} everywhere')
    mask = median_otsu(weighted, median_radius=2, numpass=2)[1]
    if mask.all() or not mask.any():  # flat after the median, without two classes
        raise UserError('no brain can be found in its diffusion images')
    labels, _ = ndimage.label(mask)
    return ndimage.binary_fill_holes(labels == numpy.bincount(labels[labels > 0]).argmax())


def fit_tensors(images, where, bvals, vectors):
    """Fit tensors by dipy's weighted least squares.

    Signals below a thousandth of the brain's mean b = 0 signal are raised to that: a logarithm is taken. Tensors with
    an eigenvalue below 0 or above 4e-3 mm^2/s, which noise makes, get those limits as eigenvalue.

    Args:
        images (numpy.ndarray): (N, z, y, x).
        where (numpy.ndarray): The voxels to fit, one or more, bool, (z, y, x); the others are 0.
        bvals (numpy.ndarray): (N,), s/mm^2.
        vectors (numpy.ndarray): (N, 3), along x, y, z.

    Returns:
        (numpy.ndarray, str): (6, z, y, x), float32, in 1e-3 mm^2/s; and how many tensors got a limit, in words.

    Raises:
        UserError: If dipy is missing.
    """
    fit, _ = _dipy()
    signals = images[:, where].T.astype(numpy.float64)  # (voxels, N)
    signals = numpy.maximum(signals, FAINTEST * signals[:, bvals <= B0].mean())
    fitted = numpy.concatenate([fit(signals[start:start + _VOXELS], bvals, vectors)
                                for start in range(0, len(signals), _VOXELS)]).T / UNIT
    values, axes = numpy.linalg.eigh(as_matrices(fitted))
    low, high = values[:, 0] < 0, values[:, 2] > LARGEST
    cut = low | high
    fitted[:, cut] = from_matrices(numpy.einsum('nij,nj,nkj->nik', axes[cut], values[cut].clip(0, LARGEST), axes[cut]))
    tensors = numpy.zeros((6, *where.shape), numpy.float32)
    tensors[:, where] = fitted
    return tensors, (f'{where.sum()} tensors; {100 * low.mean():.2f} % had an eigenvalue below 0 and '
                     f'{100 * high.mean():.2f} % one above {LARGEST * UNIT:g} mm^2/s, which were set to that')


def _whole_blocks(mask, rate):
    """The blocks (z / r_z, y / r_y, x / r_x) of which half or more lies in a mask, and the voxels of these blocks."""
    split = [part for side, r in zip(mask.shape, rate) for part in (side // r, r)]
    blocks = mask.reshape(split).mean(axis=(1, 3, 5)) >= 0.5
    return blocks, numpy.kron(blocks, numpy.ones(rate, bool))


def _dipy():
    """A function of signals (n, N), b-values and vectors that gives tensors (n, 6) in mm^2/s; and median_otsu."""
    try:
        from dipy.core.gradients import gradient_table
        from dipy.reconst.dti import design_matrix, wls_fit_tensor
        from dipy.segment.mask import median_otsu
    except ImportError as error:
        raise UserError(f'dipy is wanted to fit tensors, and cannot be imported ({error}); install it with: '
                        'pip install dipy') from None

    def fit(signals, bvals, vectors):
        table = gradient_table(bvals, bvecs=vectors, b0_threshold=B0)
        return wls_fit_tensor(design_matrix(table), signals, return_lower_triangular=True)[0][:, :6]

    return fit, median_otsu
