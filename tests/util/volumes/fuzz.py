"""Damages volume files of every format. Each must be refused in one line, or read as what its bytes now say.

    python -m tests.util.volumes.fuzz FOLDER 150 0    # the folder for its files, damaged files per kind, the seed

What the bytes say is told by nibabel for its formats, by a few lines here for MetaImage and NRRD: a field per line.
Prints how many were tried, refused and read, and what was wrong.
"""
import gzip
import json
import re
import resource
import sys
import time
import traceback
import warnings
import zlib
from pathlib import Path

import nibabel
import numpy

from tests.util.volumes.files import affine_of, make_volume, save
from tests.util.volumes.nifti_files import AFFINES, load, voxels
from util.script import UserError
from util.volumes.reading import read_volume

ODD = ['-1', '0', '1', '2', '4', '7', '3.5', 'nan', 'inf', '1e999', '99999999999999999999', '', 'x', 'LIST', 'True',
       'False', '%d', '\x01', 'a' * 700, '1 1', '1 0 0 0 1 0 0 0 1', '7 6 5', '6 7 5', 'LOCAL',
       'MET_FLOAT', 'raw', 'gzip']


def nibabel_file(end, klass, dtype):
    def write(folder):
        path = folder / f'a{end}'
        image = klass(voxels(dtype), AFFINES['oblique'])
        if klass is nibabel.Nifti1Image:
            image.header.set_slope_inter(1, 0)
        nibabel.save(image, path)
        return path, [path] if end != '.hdr' else [path, folder / 'a.img']
    return write


def itk_file(suffix, compressed, data=None):
    def write(folder):
        path = save(folder / f'a{suffix}', make_volume().array[0], (1.0, 4 / 3, 0.5), compressed)
        return path, [path] + ([folder / data] if data else [])
    return write


KINDS = {
    'NIfTI-1 .nii': nibabel_file('.nii', nibabel.Nifti1Image, 'int16'),
    'NIfTI-1 .nii.gz': nibabel_file('.nii.gz', nibabel.Nifti1Image, 'float32'),
    'NIfTI-2 .nii': nibabel_file('.nii', nibabel.Nifti2Image, 'float32'),
    'NIfTI-1 .hdr .img': nibabel_file('.hdr', nibabel.Nifti1Pair, 'uint8'),
    'Analyze .hdr .img': nibabel_file('.hdr', nibabel.AnalyzeImage, 'int16'),
    'MGH .mgh': nibabel_file('.mgh', nibabel.MGHImage, 'int16'),
    'MGH .mgz': nibabel_file('.mgz', nibabel.MGHImage, 'float32'),
    'MetaImage .mhd .raw': itk_file('.mhd', False, 'a.raw'),
    'MetaImage .mhd .zraw': itk_file('.mhd', True, 'a.zraw'),
    'MetaImage .mha raw': itk_file('.mha', False),
    'MetaImage .mha packed': itk_file('.mha', True),
    'NRRD raw': itk_file('.nrrd', False),
    'NRRD gzip': itk_file('.nrrd', True),
    'NRRD .nhdr .raw': itk_file('.nhdr', False, 'a.raw'),
}


def damage(content, rng):
    """Bytes with one of the damages that disks, networks, scripts and people do."""
    content = bytearray(content)
    place = int(rng.integers(len(content)) if rng.random() < 0.5 else rng.integers(min(len(content), 400)))
    length = int(2 ** rng.uniform(0, 9))
    noise = rng.bytes(length)
    what = rng.integers(8)
    if what < 3:  # half of all: bits
        for _ in range(1 + int(rng.integers(3)) // 2):
            content[place] ^= 1 << int(rng.integers(8))
            place = int(rng.integers(len(content)))
    elif what == 3:
        del content[place:]
    elif what == 4:
        content[place:place] = noise
    elif what == 5:
        del content[place:place + length]
    elif what == 6:
        content[place:place + length] = noise[:len(content) - place]
    else:
        content[:] = rng.bytes(len(content)) if rng.random() < 0.3 else content[:place] + bytes(len(content) - place)
    return bytes(content)


def damage_binary_header(content, rng):
    """A field of a NIfTI, Analyze or MGH header set to an odd value."""
    length = int.from_bytes(content[:4], 'little')
    dtype = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header, 1 << 24: nibabel.freesurfer.MGHImage.header_class}[
        length].template_dtype
    header = numpy.frombuffer(bytearray(content[:dtype.itemsize]), dtype).copy()
    for _ in range(int(rng.integers(1, 3))):
        field = header[str(rng.choice(dtype.names))][0, ...]
        flat = field.reshape(-1)
        if flat.dtype.kind == 'S':
            flat[...] = rng.bytes(2)
            continue
        values = [0, 1, -1, 2, 3, 4, 8, 16, 32, 64, 100, 127]
        values += [numpy.nan, numpy.inf, -numpy.inf, 1e30, 0.5, 352, 544] if flat.dtype.kind == 'f' else []
        flat[rng.integers(flat.size)] = numpy.array(rng.choice(values)).astype(flat.dtype)
    return header.tobytes() + content[dtype.itemsize:]


def damage_text_header(content, rng):
    """A line of a MetaImage or NRRD header lost, doubled, moved, or with another value."""
    lines = content.split(b'\n')
    last = next((n for n, line in enumerate(lines) if line.startswith(b'ElementDataFile') or not line), len(lines)) + 1
    place, other = (int(n) for n in rng.integers(last, size=2))
    name = re.match(rb'[^=:]*[=:]? ?', lines[place])[0]
    value = str(rng.choice(ODD)).encode()
    what = rng.integers(5)
    if what == 0:
        del lines[place]
    elif what == 1:
        lines.insert(other, lines[place])
    elif what == 2:
        lines[place], lines[other] = lines[other], lines[place]
    elif what == 3:
        lines[place] = name + value
    else:
        words = lines[place][len(name):].split()
        if words:
            words[rng.integers(len(words))] = value
        lines[place] = name + b' '.join(words)
    return b'\n'.join(lines)


def damaged(files, text, rng):
    """One of a volume's files, damaged; its header in the packed stream as well."""
    file = files[int(rng.integers(len(files)))]
    content = file.read_bytes()
    packed = content[:2] == b'\x1f\x8b'
    if rng.random() < 0.4:
        file = files[0]
        content = file.read_bytes()
        if text:
            return file, damage_text_header(content, rng)
        content = damage_binary_header(gzip.decompress(content) if packed else content, rng)
    elif packed and rng.random() < 0.5:
        content = damage(gzip.decompress(content), rng)
    else:
        return file, damage(content, rng)
    return file, gzip.compress(content) if packed else content


def by_nibabel(path):
    image = load(path)
    array = numpy.asanyarray(image.dataobj)
    return array.T.reshape(-1, *array.shape[2::-1]), image.affine


TYPES = {'MET_CHAR': 'i1', 'MET_UCHAR': 'u1', 'MET_SHORT': 'i2', 'MET_USHORT': 'u2', 'MET_INT': 'i4', 'MET_UINT': 'u4',
         'MET_LONG': 'i4', 'MET_ULONG': 'u4', 'MET_LONG_LONG': 'i8', 'MET_ULONG_LONG': 'u8', 'MET_FLOAT': 'f4',
         'MET_DOUBLE': 'f8', 'short': 'i2', 'float': 'f4'}


def by_hand(path):
    """A MetaImage or NRRD file as its lines say, with what they leave out taken as nothing."""
    meta = path.suffix in ('.mhd', '.mha')
    header, data = re.fullmatch(rb'(?s)(.*?ElementDataFile[^\n]*(?:\n|$))(.*)' if meta else rb'(?s)(.*?\n)(?:\n(.*))?',
                                path.read_bytes()).groups()
    lines = re.findall(r'^([^=:#\n]*?)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$', header.decode('utf-8', 'replace'), re.MULTILINE)
    fields = {name if meta else name.lower(): value if meta else value.lower() for name, value in lines}
    name = fields['ElementDataFile' if meta else 'data file'] if meta or 'data file' in fields else 'LOCAL'
    data = data if name.upper() == 'LOCAL' else (path.parent / name).read_bytes()
    if fields.get('CompressedData', 'False').lower() in ('true', '1') or fields.get('encoding', '') in ('gzip', 'gz'):
        data = zlib.decompress(data, 47)
    big = fields.get('BinaryDataByteOrderMSB', 'False').lower() in ('true', '1') or fields.get('endian') == 'big'
    dtype = numpy.dtype(TYPES[fields['ElementType' if meta else 'type']]).newbyteorder('>' if big else '<')
    size = [int(float(n)) for n in fields['DimSize' if meta else 'sizes'].split()]
    count = int(fields.get('ElementNumberOfChannels', 1))
    shape = (*size[:2:-1], *size[2::-1]) if len(size) > 3 else size[::-1]
    array = numpy.frombuffer(data[-int(numpy.prod(shape)) * dtype.itemsize * count:], dtype).reshape(*shape, count)
    affine = numpy.eye(4)
    if meta:
        matrix = numpy.array(fields.get('TransformMatrix', '1 0 0 0 1 0 0 0 1').split(), float).reshape(-1, len(size))
        spacing = numpy.array(fields.get('ElementSpacing', '1 ' * len(size)).split(), float)
        affine[:3, :3], affine[:3, 3] = matrix[:3, :3].T * spacing[:3], fields.get('Offset', '0 0 0').split()[:3]
    else:
        vectors = re.findall(r'\((.*?)\)', fields.get('space directions', '(1,0,0)(0,1,0)(0,0,1)'))
        affine[:3, :3] = numpy.array([vector.split(',')[:3] for vector in vectors][:3], float).T
        affine[:3, 3] = fields.get('space origin', '(0,0,0)').strip('()').split(',')[:3]
    ras = {'ras': [1, 1, 1, 1], 'las': [-1, 1, 1, 1]}.get(fields.get('space'), [-1, -1, 1, 1])
    return numpy.moveaxis(array, -1, 0).reshape(-1, *size[2::-1]), numpy.diag(ras) @ affine


def outcome(path, text):
    """'refused', 'read', or what is wrong."""
    try:
        volume = read_volume(path)
    except UserError as error:
        message = str(error)
        return 'refused' if message.startswith(f'{path}: ') and '\n' not in message else f'no one line: {message}'
    except Exception:
        return traceback.format_exc()
    try:
        array, affine = (by_hand if text else by_nibabel)(path)
    except Exception:
        return 'read, and it has no meaning: ' + traceback.format_exc()
    if not numpy.array_equal(volume.array.reshape(array.shape), array):
        return 'other voxels'
    difference = numpy.abs(affine_of(volume) - affine).max() / numpy.abs(affine).max()
    return 'read' if difference < 1e-9 else f'another place: {affine_of(volume)}, not {affine}'


def fuzz(kind, folder, count, seed):
    """Try so many damaged files of one kind: how many were refused and read, the slowest, and what was wrong."""
    text = 'MetaImage' in kind or 'NRRD' in kind
    path, files = KINDS[kind](folder)
    whole = {file: file.read_bytes() for file in files}
    result = {'kind': kind, 'tried': count, 'refused': 0, 'read': 0, 'slowest': 0.0, 'wrong': []}  # slowest: seconds
    if outcome(path, text) != 'read':
        raise AssertionError(f'{kind}: {outcome(path, text)}')
    for number in range(count):
        rng = numpy.random.default_rng([seed, number])
        file, content = damaged(files, text, rng)
        file.write_bytes(content)
        start = time.monotonic()
        found = outcome(path, text)
        result['slowest'] = max(result['slowest'], time.monotonic() - start)
        if found in ('refused', 'read'):
            result[found] += 1
        else:
            result['wrong'].append(f'number {number}: {found}')
        file.write_bytes(whole[file])
    for file in files:
        file.unlink()
    return {**result, 'memory': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}  # MiB


def main(folder, count, seed, *kinds):
    warnings.simplefilter('ignore')  # nibabel's
    nibabel.imageglobals.logger.setLevel('CRITICAL')
    for kind in kinds or KINDS:
        with numpy.errstate(all='ignore'):
            print(json.dumps(fuzz(kind, Path(folder), int(count), int(seed))), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
