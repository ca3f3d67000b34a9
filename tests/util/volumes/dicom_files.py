"""DICOM series made on the spot by SimpleITK, slice by slice, as a scanner leaves them."""
import locale

import numpy
import SimpleITK as sitk

from tests.util.volumes.files import channel_images


def save_series(folder, volume, uid='1.2.3', change=lambda number, tags: None):
    """Write the slices of a volume of one channel, int16, as DICOM files whose names say nothing of their order.

    Args:
        folder (Path): Where to write; made if need be.
        volume (Volume): The volume.
        uid (str): Of the series.
        change (function): Is given each slice's number and its tags, to change them; False leaves the file out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image = channel_images(volume)[0]
    kept = locale.setlocale(locale.LC_ALL)  # GDCM sets the C locale to write, and leaves it there
    rows = numpy.reshape(volume.direction, (3, 3))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(image.GetDepth()):
        place = image.TransformIndexToPhysicalPoint((0, 0, number))
        own = {'0008|0060': 'MR', '0008|103e': f'series {uid}', '0020|000d': '1.2', '0020|000e': uid,
               '0020|0052': '1.2.9', '0008|0018': f'{uid}.{number + 1}',
               '0020|0032': '\\'.join(f'{value:.8g}' for value in place),
               '0020|0037': '\\'.join(f'{value:.8g}' for value in rows[:, :2].T.ravel())}
        if change(number, own) is False:
            continue
        part = image[:, :, number]
        part.SetSpacing(volume.spacing[:2])
        for tag, value in own.items():
            part.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f'{(7 * number + 3) % 1009:04d}.dcm'))
        writer.Execute(part)
    locale.setlocale(locale.LC_ALL, kept)
    return folder
