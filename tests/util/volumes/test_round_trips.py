"""Any volume in any place: nibabel's files read as nibabel reads them, and what is written reads back to the bit."""
import gzip
import io
import tempfile
from pathlib import Path

import nibabel
import numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat

from tests.util.volumes.files import affine_of, assert_same
from util.volumes.affine import geometry_of_affine
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import write_volume

examples = settings(deadline=None, derandomize=True, max_examples=80)
SIZES = st.tuples(*[st.integers(2, 6)] * 3)
ANGLES = st.floats(-numpy.pi, numpy.pi)
LENGTHS = st.floats(1e-3, 1e3)
PLACES = st.floats(-1e4, 1e4)
CODES = st.sampled_from([(1, 0), (0, 1), (2, 2), (0, 0)])


@st.composite
def affines(draw):
    """Right-angled ones of either hand: (4, 4), RAS."""
    spacing = numpy.array(draw(st.tuples(LENGTHS, LENGTHS, LENGTHS))) * draw(st.sampled_from([1, [-1, 1, 1]]))
    affine = from_matvec(euler2mat(*draw(st.tuples(ANGLES, ANGLES, ANGLES))) * spacing,
                         draw(st.tuples(PLACES, PLACES, PLACES)))
    return numpy.where(numpy.abs(affine) < 1e-100, 0, affine)  # C++ takes 1e-310 for 0


def arrays(draw, dtype, shape):
    dtype = numpy.dtype(dtype)
    rng = numpy.random.default_rng(draw(st.integers(0, 2 ** 32)))
    if dtype.kind == 'f':
        return (rng.normal(size=shape) * 10.0 ** draw(st.integers(-30, 30))).astype(dtype)
    limits = numpy.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype.newbyteorder('='), endpoint=True).astype(dtype)


@st.composite
def nifti_images(draw):
    klass = draw(st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]))
    order = draw(st.sampled_from('<>'))
    dtype = order + draw(st.sampled_from(['u1', 'i1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f4', 'f8']))
    shape = draw(SIZES) + draw(st.sampled_from([(), (1,), (3,), (1, 2)]))
    header = klass.header_class(endianness=order)
    header.set_data_dtype(dtype)
    affine = draw(affines())
    image = klass(arrays(draw, dtype, shape), affine, header)
    sform, qform = draw(CODES)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    return image, draw(st.sampled_from([(1, 0), (0, 7), (0.5, -3), (-2, 1)]))


def corners(size):
    return numpy.vstack([numpy.indices((2, 2, 2)).reshape(3, 8) * numpy.reshape(size, (3, 1)) - 0.5, numpy.ones(8)])


@examples
@given(nifti_images(), st.booleans())
def test_a_nifti_file_reads_as_nibabel_reads_it(image_and_scaling, packed):
    image, (slope, intercept) = image_and_scaling
    content = bytearray(image.to_bytes())
    header = image.header_class(content[:image.header.sizeof_hdr])
    header['scl_slope'], header['scl_inter'] = slope, intercept
    content[:image.header.sizeof_hdr] = header.binaryblock
    expected = type(image).from_stream(io.BytesIO(bytes(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'a.nii.gz'
        path.write_bytes(gzip.compress(content, 1) if packed else content)
        volume = read_volume(path)
    array = numpy.asanyarray(expected.dataobj)
    numpy.testing.assert_array_equal(volume.array.reshape(array.shape[::-1]), array.T)
    assert volume.array.dtype == array.dtype.newbyteorder('=')
    places = corners(image.shape[:3])
    numpy.testing.assert_allclose(affine_of(volume) @ places, expected.affine @ places, rtol=1e-12, atol=1e-9)


@examples
@given(affines())
def test_an_affine_is_the_same_place_in_other_terms(affine):
    geometry = geometry_of_affine(affine)
    volume = Volume(numpy.zeros((1, 2, 2, 2)), *geometry)
    numpy.testing.assert_allclose(affine_of(volume), affine, rtol=1e-12, atol=1e-12)
    assert min(geometry.spacing) > 0
    axes = numpy.reshape(geometry.direction, (3, 3))
    numpy.testing.assert_allclose(axes.T @ axes, numpy.eye(3), atol=1e-12)


@st.composite
def volumes(draw):
    dtype = draw(st.sampled_from(['uint8', 'int8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'float32',
                                  'float64']))
    array = arrays(draw, dtype, (draw(st.integers(1, 3)), *draw(SIZES)))
    return Volume(array, *geometry_of_affine(draw(affines())))


@examples
@given(volumes(), volumes())
def test_what_is_written_reads_back_to_the_bit_also_over_another_volume(old, new):
    with tempfile.TemporaryDirectory() as folder:
        for volume in (old, new):
            write_volume(Path(folder) / 'a.mhd', volume)
            assert_same(read_volume(Path(folder) / 'a.mhd'), volume)
        assert len(list(Path(folder).iterdir())) == 2
