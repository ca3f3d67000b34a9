"""HR volumes that stay on the disk: for those that do not fit into memory together."""
import numpy

from util.script import UserError
from util.volumes import metaimage


class MappedVolume:
    """A volume with scaled intensities, of which only what is cut out is read.

    The system keeps what was read in memory that it has to spare, once for all processes of a machine.

    Args:
        path (Path): A .mhd file, with its raw voxels beside it.
        array (numpy.ndarray): What was read of it, (C, z, y, x), float32; the voxels must equal it. It is not kept.
        scale (numpy.ndarray): What intensities are divided by, (C, 1, 1, 1), float32.

    Attributes:
        shape (tuple): (C, z, y, x).
        size (int): Number of values.

    Raises:
        UserError: If its voxels cannot be read where they are.
    """

    def __init__(self, path, array, scale):
        if path.suffix.lower() != '.mhd':
            raise UserError(f'{path}: only voxels of .mhd files can be left on the disk; make_lr_img.py writes such')
        self._voxels, self._scale, self._device = metaimage.mapped(path), scale, None
        self.shape, self.size = self._voxels.shape, self._voxels.size
        # A plane at a time, as float32: that is what they were read as, whatever they are stored as.
        if self.shape != array.shape or not all(
                numpy.array_equal(self._voxels[:, z].astype(numpy.float32), array[:, z]) for z in range(self.shape[1])):
            raise UserError(f'{path}: its voxels on the disk are not those that were read; it is being written')

    def to_device(self, device):
        """Send what is cut out to a device."""
        self._device = device

    def __getitem__(self, window):
        """A part of the volume, in memory of its own, float32; on the device, if there is one.

        Args:
            window (tuple of slice): Along C, z, y, x; of C all.
        """
        part = self._voxels[window].astype(numpy.float32) / self._scale
        return part if self._device is None else self._device.send(part)
