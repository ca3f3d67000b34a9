"""A scan whose axes or slices lie otherwise than those of the training."""
from dataclasses import replace

import nibabel
import numpy
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from models.espcn3d import ESPCN3D
from tests.test_inference import prepare
from util.config_files import load_config
from util.inference.model_file import save_network
from util.volumes.orientation import AS_IT_IS, Layout, Lie, axis_codes, inverse, lay
from util.volumes.reading import read_volume
from util.volumes.sampling import Sampling
from util.volumes.volume import Volume
from util.volumes.writing import write_volume


@pytest.fixture
def experiment(tmp_path):
    return prepare(tmp_path)


class TestAScanThatLiesOtherwise:
    """The network of nearest neighbours was trained on volumes whose axes lie as ``LIE`` says."""
    LIE = Lie('LAS', (1.0, 1.0, 4.0))
    LAS = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)

    @pytest.fixture
    def thick_model(self, experiment):
        """A model for four thin slices of each thick one, along z, and a scan to write."""
        text = (experiment / 'experiment.yml').read_text()
        text = text.replace('upsampling_rate: 2', 'upsampling_rate: [4, 1, 1]')
        (experiment / 'experiment.yml').write_text(text.replace('residual: nearest', 'residual: linear'))
        net = ESPCN3D(Sampling((4, 1, 1)), residual='linear')
        for param in net.params():
            param.array[...] = 0

        def save(lie):
            save_network(experiment / 'gen.npz', net, load_config(experiment / 'experiment.yml').to_yaml(), lie)

        def scan(layout, spacing=None):
            array = numpy.random.default_rng(0).uniform(10, 90, (1, 6, 10, 12)).astype(numpy.float32)
            volume = lay(Volume(array, (1.0, 1.0, 4.0), (-3.0, 20.0, 5.0), self.LAS), layout)
            write_volume(experiment / 'scan.mhd', replace(volume, array=numpy.ascontiguousarray(volume.array),
                                                          spacing=spacing or volume.spacing))
        return experiment, save, scan

    def result(self, experiment):
        return read_volume(experiment / 'out/scan_x4x1x1.mhd')

    @pytest.mark.parametrize('layout', [Layout((2, 0, 1), (False,) * 3), Layout((1, 2, 0), (True, False, True)),
                                        Layout((0, 1, 2), (False, True, False))])
    def test_its_axes_are_laid_as_in_the_training_and_back(self, thick_model, infer, layout):
        """The result is that of the scan as the training would have had it, voxel by voxel in space."""
        experiment, save, scan = thick_model
        save(self.LIE)
        scan(AS_IT_IS)
        done = infer('-i', 'scan.mhd')
        assert done.returncode == 0 and 'note' not in done.stderr
        expected = self.result(experiment)
        scan(layout)
        done = infer('-i', 'scan.mhd')
        assert done.returncode == 0 and 'are laid as those of the training, LAS, and the result back' in done.stderr
        result = self.result(experiment)
        assert axis_codes(result) == axis_codes(read_volume(experiment / 'scan.mhd'))
        back = lay(result, inverse(layout))
        numpy.testing.assert_array_equal(back.array, expected.array)
        for key in ('spacing', 'origin', 'direction'):
            assert getattr(back, key) == pytest.approx(getattr(expected, key), abs=1e-6)

    def test_thick_slices_along_another_axis_go_where_the_training_s_were(self, thick_model, infer):
        """Sagittal slices: by the body's axes they would be made 1 x 1 x 0.25 mm of 4 x 1 x 1."""
        experiment, save, scan = thick_model
        save(self.LIE)
        scan(AS_IT_IS, (4.0, 1.0, 1.0))
        done = infer('-i', 'scan.mhd')
        assert done.returncode == 0, done.stderr
        assert self.result(experiment).spacing == pytest.approx((1, 1, 1))

    def test_a_spacing_unlike_the_training_s_is_said_with_both(self, thick_model, infer):
        _, save, scan = thick_model
        save(self.LIE)
        scan(AS_IT_IS, (1.0, 1.0, 1.0))
        done = infer('-i', 'scan.mhd')
        assert done.returncode == 0
        assert ('note: scan.mhd: its spacing is 1 x 1 x 1 mm (x, y, z) where the training had 1 x 1 x 4 mm; the result '
                'has 1 x 1 x 0.25 mm, and none of its axes is clearly the thick one') in done.stderr

    @pytest.mark.parametrize('lie', [None, LIE])
    @pytest.mark.parametrize('thick', range(3))
    def test_the_thick_axis_of_any_scan_is_made_thin_and_every_voxel_lies_where_it_belongs(
            self, thick, lie, thick_model, infer):
        """Of an oblique file: each voxel is what linear interpolation of the scan gives at its place in mm."""
        experiment, save, _ = thick_model
        save(lie)
        affine = numpy.eye(4)
        affine[:3, :3] = Rotation.from_euler('xyz', (0.2, -0.1, 0.3)).as_matrix() * numpy.where(
            numpy.arange(3) == thick, 4.0, [0.8, 0.9, 1.0])
        affine[:3, 3] = -30, 12, 7
        array = numpy.random.default_rng(0).uniform(10, 90, (8, 7, 6)).astype(numpy.float32)
        nibabel.Nifti1Image(array, affine).to_filename(experiment / 'scan.nii')
        done = infer('-i', 'scan.nii', *(['--ensemble'] if thick == 1 else []))
        assert done.returncode == 0, done.stderr
        assert ('since its spacings fit so' in done.stderr) == (thick < 2)
        result = nibabel.load(experiment / 'out/scan_x4x1x1.nii')
        assert result.shape == tuple(n * (4 if axis == thick else 1) for axis, n in enumerate(array.shape))
        places = nibabel.affines.apply_affine(numpy.linalg.inv(affine) @ result.affine,
                                              numpy.indices(result.shape).reshape(3, -1).T)
        expected = ndimage.map_coordinates(array, places.T, order=1, mode='nearest').reshape(result.shape)
        numpy.testing.assert_allclose(result.get_fdata(), expected, atol=1e-3)
