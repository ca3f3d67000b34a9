import chainer
import numpy
import pytest
import SimpleITK as sitk

from tests.experiment import assert_refused, assert_same_weights
from util.dataset.mapped import MappedVolume
from util.dataset.patches import PatchDataset
from util.script import UserError
from util.volumes.reading import read_volume
from util.volumes.sampling import Sampling

WINDOWS = [(slice(None), slice(1, 4), slice(3, None, -1), slice(0, 2)), (slice(None),) * 4]


def write(path, channels, dtype, order='<', start=0):
    """By hand, as MetaIO's documentation has it: x is the fastest axis but for the channels, which are faster."""
    values = numpy.random.default_rng(0).integers(0, 100, (4, 5, 6, channels)).astype(dtype)
    kind = {'int16': 'MET_SHORT', 'float32': 'MET_FLOAT', 'uint8': 'MET_UCHAR'}[dtype]
    path.with_suffix('.raw').write_bytes(bytes(abs(start) * 3) + values.astype(numpy.dtype(dtype).newbyteorder(order))
                                         .tobytes())
    path.write_text(f'ObjectType = Image\nNDims = 3\nDimSize = 6 5 4\nElementSpacing = 1 1 1\n'
                    f'BinaryDataByteOrderMSB = {order == ">"}\nHeaderSize = {start}\n'
                    f'ElementNumberOfChannels = {channels}\nElementType = {kind}\n'
                    f'ElementDataFile = {path.with_suffix(".raw").name}\n')
    return values.transpose(3, 0, 1, 2).astype(numpy.float32)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('dtype, order, start', [('int16', '<', 0), ('int16', '>', 0), ('float32', '>', -1),
                                                 ('uint8', '<', 0), ('float32', '<', 0)])
def test_what_is_cut_out_is_what_was_written_and_scaled(tmp_path, channels, dtype, order, start):
    path = tmp_path / 'volume.mhd'
    expected = write(path, channels, dtype, order, start)
    array = read_volume(path, numpy.float32).array
    scale = numpy.arange(3, 3 + channels, dtype=numpy.float32).reshape(-1, 1, 1, 1)
    volume = MappedVolume(path, array, scale)
    assert volume.shape == expected.shape and volume.size == expected.size
    for window in WINDOWS:
        part = volume[window]
        assert part.dtype == numpy.float32
        numpy.testing.assert_array_equal(part, (expected / scale)[window])


@pytest.mark.parametrize('dtype', ['float64', 'int32'])
def test_voxels_that_float32_rounds_are_left_on_the_disk_as_well(tmp_path, dtype):
    """A scan with a NIfTI slope is one of float64."""
    path = tmp_path / 'volume.mhd'
    values = numpy.random.default_rng(0).uniform(2 ** 25, 2 ** 26, (4, 5, 6)).astype(dtype)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
    array = read_volume(path, numpy.float32).array
    assert (array[0] != values).any()
    volume = MappedVolume(path, array, numpy.ones((1, 1, 1, 1), numpy.float32))
    numpy.testing.assert_array_equal(volume[(slice(None),) * 4], array)


def test_sizes_that_are_written_as_decimals_are_read(tmp_path):
    path = tmp_path / 'volume.mhd'
    expected = write(path, 1, 'int16')
    path.write_text(path.read_text().replace('DimSize = 6 5 4', 'DimSize = 6.0 5.0 4.0'))
    array = read_volume(path, numpy.float32).array
    numpy.testing.assert_array_equal(array, expected)
    numpy.testing.assert_array_equal(MappedVolume(path, array, numpy.float32(1))[(slice(None),) * 4], expected)


def test_other_voxels_than_those_that_were_read_are_refused(tmp_path):
    path = tmp_path / 'volume.mhd'
    write(path, 1, 'int16')
    array = read_volume(path, numpy.float32).array
    for other in (array + (numpy.indices(array.shape).sum(0) == 0), array[:, :3]):
        with pytest.raises(UserError, match='are not those that were read'):
            MappedVolume(path, other, numpy.float32(1))


def test_what_cannot_be_read_in_place_is_refused(tmp_path):
    image = sitk.GetImageFromArray(numpy.ones((4, 4, 4), numpy.float32))
    for name, packed, words in (('packed.mhd', True, 'since they are compressed'), ('one.mha', False, 'only voxels of'),
                                ('one.nii', False, 'only voxels of')):
        sitk.WriteImage(image, str(tmp_path / name), packed)
        with pytest.raises(UserError, match=words):
            MappedVolume(tmp_path / name, numpy.ones((1, 4, 4, 4), numpy.float32), 1)
    write(tmp_path / 'other.mhd', 1, 'float32')
    with pytest.raises(UserError, match='not those that were read'):
        MappedVolume(tmp_path / 'other.mhd', numpy.ones((1, 4, 5, 6), numpy.float32), 1)


def test_a_training_from_the_disk_ends_with_the_same_bits(experiment, train):
    settings = '--set', 'intensity_scaling=percentile', '--set', 'flip=per_axis', '--set', 'background_share=0.1'
    assert train(*settings, out='loaded').returncode == 0
    done = train(*settings, '--on-disk', out='mapped')
    assert done.returncode == 0, done.stderr
    for name in ('gen_iter_6.npz', 'gen_best.npz'):
        assert_same_weights(experiment / 'loaded' / name, experiment / 'mapped' / name)
    for path in (experiment / 'HR').glob('*.mhd'):
        sitk.WriteImage(sitk.ReadImage(str(path)), str(path), True)
    assert_refused(train('--on-disk', out='other'), 'HR/0000.mhd: its voxels cannot be left on the disk')


@pytest.mark.gpu
def test_patches_from_the_disk_are_sent_to_a_gpu(tmp_path, gpu):
    """Mirrored ones of tensors, too, whose signs are there."""
    hr = write(tmp_path / 'volume.mhd', 6, 'int16')
    lr = hr[:, ::2, ::2, ::2][:, :, :2]
    hr, sampling = hr[:, :, :4], Sampling(2)
    volume = MappedVolume(tmp_path / 'volume.mhd', read_volume(tmp_path / 'volume.mhd', numpy.float32).array,
                          numpy.ones((6, 1, 1, 1), numpy.float32))
    volume._voxels, volume.shape = volume._voxels[:, :, :4], hr.shape
    loaded, mapped = (PatchDataset([(lr, array)], sampling, (2, 2, 2), 20, 0, 'tensors') for array in (hr, volume))
    mapped.to_device(gpu)
    for one, other in zip(loaded, mapped):
        for expected, patch in zip(one, other):
            assert gpu.xp is chainer.backend.get_array_module(patch)
            numpy.testing.assert_array_equal(chainer.get_device('@numpy').send(patch), expected)
