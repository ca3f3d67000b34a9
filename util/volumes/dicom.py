"""A folder with the files of one DICOM series, read by SimpleITK (GDCM); where its slices lie is looked at here.

ITK takes the distance of two slices for that of all, tells a missing slice only as a warning, and leans no axis where
the gantry was tilted.

Source: DICOM PS3.3, C.7.6.2 (Image Plane Module): positions and directions are in mm, LPS; the pixel spacing is that
of the rows first, so y, x. C.11.1: GDCM applies the rescale slope and intercept.
"""
from pathlib import Path

import numpy

from util.script import UserError, blaming
from util.volumes.affine import SHEAR, check_geometry
from util.volumes.dicom_lengths import check_lengths
from util.volumes.geometry import Geometry
from util.volumes.itk import check_name, one_line_errors, simple_itk
from util.volumes.streams import is_dicom

sitk = simple_itk()

_POSITION, _AXES, _SPACING = '0020|0032', '0020|0037', '0028|0030'
_DESCRIPTION, _COLOURS, _FRAMES = '0008|103e', '0028|0002', '0028|0008'
_UNEVEN = 0.05  # of the distance of slices: positions are often rounded to 0.01 mm


def read(folder):
    """Read the one series in a folder, in the order of its slices.

    Args:
        folder (Path): Folder with the files, whatever their names; other files are passed over.

    Returns:
        (numpy.ndarray, ~util.volumes.geometry.Geometry): (1, z, y, x), of the stored type, or as the rescale slope
            makes it; spacing, origin and direction.

    Raises:
        UserError: In one line that names the folder, if there is no series or more than one, a slice is missing, is
            there twice or lies otherwise than the rest, the gantry was tilted, or a file is damaged, coloured, has
            several frames or does not say where it lies.
    """
    files = _files(folder)
    readers = [_reader(file) for file in files]
    axes, spacing, sizes = (_common(folder, files, values, what) for what, values in (
        ('directions', [_numbers(reader, _AXES, 6) for reader in readers]),
        ('pixel spacings', [_numbers(reader, _SPACING, 2) for reader in readers]),
        ('sizes', [reader.GetSize()[:2] for reader in readers])))
    if len(files) < 2:
        raise UserError(f'{folder}: a DICOM series of one slice; a volume has 2 or more')
    positions = numpy.array([_numbers(reader, _POSITION, 3) for reader in readers])
    rows, columns = (vector / numpy.linalg.norm(vector) for vector in numpy.reshape(axes, (2, 3)))
    normal = numpy.cross(rows, columns)
    order = numpy.argsort(positions @ normal, kind='stable')
    step = _step(folder, [Path(files[index]).name for index in order], positions[order], normal)
    direction = numpy.stack([rows, columns, normal], axis=1)
    geometry = Geometry((spacing[1], spacing[0], step), tuple(positions[order[0]].tolist()),
                        tuple(direction.ravel().tolist()))
    with blaming(folder):
        check_geometry(geometry)
    slices = []
    for index in order:
        with one_line_errors(files[index]):
            slices.append(sitk.GetArrayFromImage(readers[index].Execute()).reshape(sizes[::-1]))
    return numpy.stack(slices)[None], geometry  # of the type that holds the values of all


def _files(folder):
    dicom = [path for path in sorted(folder.iterdir()) if is_dicom(path) and path.name.upper() != 'DICOMDIR']
    for path in (folder, *dicom):
        check_name(path)
    for path in dicom:
        check_lengths(path)
    with one_line_errors(folder):
        series = {name: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), name)
                  for name in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))}
    if not series:
        raise UserError(f'{folder}: a folder without a DICOM series in it; name the folder that holds the files')
    if len(series) > 1:
        said = ', '.join(f'{_tag(_reader(files[0]), _DESCRIPTION) or name!r} ({len(files)} files)'
                         for name, files in series.items())
        raise UserError(f'{folder}: {len(series)} DICOM series: {said}; put the files of the one wanted into a folder '
                        'of their own')
    files, = series.values()
    for path in dicom:  # GDCM passes over what it cannot read, and at an end no gap would show that
        if str(path) not in files:
            raise UserError(f'{path}: a DICOM file that is damaged, or of no series')
    return files


def _reader(file):
    reader = sitk.ImageFileReader()
    reader.SetImageIO('GDCMImageIO')
    with one_line_errors(file):
        reader.SetFileName(file)
        reader.ReadImageInformation()
    if _tag(reader, _COLOURS) != '1':
        raise UserError(f'{file}: its voxels are colours; one number each is needed')
    if _tag(reader, _FRAMES) not in ('', '1'):
        raise UserError(f'{file}: several frames in one DICOM file; convert it to NIfTI first, with dcm2niix for one')
    return reader


def _tag(reader, tag):
    return reader.GetMetaData(tag).strip(' \0') if reader.HasMetaDataKey(tag) else ''


def _numbers(reader, tag, count):
    words = _tag(reader, tag).split('\\')
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count or not numpy.isfinite(values).all():
        raise UserError(f'{reader.GetFileName()}: it does not say where it lies: its tag ({tag.replace("|", ",")}) is '
                        f'{_tag(reader, tag)!r}')
    return tuple(values)


def _common(folder, files, values, what):
    """What all files have in common."""
    for file, value in zip(files, values):
        if not numpy.allclose(value, values[0], rtol=0, atol=1e-4):
            raise UserError(f'{folder}: the slices have several {what}: {_listed(values[0])} in '
                            f'{Path(files[0]).name}, {_listed(value)} in {Path(file).name}; put those of one volume '
                            'into a folder of their own')
    return values[0]


def _step(folder, names, positions, normal):
    """The distance of the slices, in mm, which must be one, along the normal."""
    gaps = numpy.diff(positions @ normal)
    usual = float(numpy.median(gaps))
    if gaps.min() <= _UNEVEN * usual or usual <= 0:
        twice = int(numpy.argmin(gaps))
        raise UserError(f'{folder}: two slices at one place, {names[twice]} and {names[twice + 1]}: several volumes '
                        '(times, echoes, directions) in one series; convert it to NIfTI first, with dcm2niix for one')
    worst = int(numpy.argmax(numpy.abs(gaps - usual)))
    if abs(gaps[worst] - usual) > _UNEVEN * usual:
        raise UserError(f'{folder}: its slices are not evenly spaced, or some are missing: {gaps[worst]:.4g} mm from '
                        f'{names[worst]} to {names[worst + 1]}, mostly {usual:.4g} mm')
    way = positions[-1] - positions[0]
    length = float(way @ normal)
    aside = float(numpy.linalg.norm(way - length * normal)) / length
    if aside > SHEAR:
        raise UserError(f'{folder}: its slices are shifted against each other, by a gantry tilted by '
                        f'{numpy.degrees(numpy.arctan(aside)):.3g} degrees; resample it onto a right-angled grid first')
    return length / len(gaps)


def _listed(values):
    return ' '.join(f'{value:.6g}' for value in values)
