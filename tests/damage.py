"""Ways to damage a text or an .npz file, drawn from a random generator, so that a seed gives the same ones again."""
import io
import re
import warnings
import zipfile

import numpy

NASTY = [
    '', '.nan', '.inf', '-1', '0', '0.5', '1e400', '1e20', '1.0e+20', '100000000', '9' * 25, '9' * 5000,
    '0x' + 'f' * 5000, '1' + ':1' * 9999, '[]', '{}', 'null', '~', 'true', 'on', '2001-99-99', '2001-01-01',
    '<<', '=', '*a', '&a', '&a [*a]',
    '!!int x', '!!float x', '!!binary aGk=', '!!set {a}', '!!python/object/apply:os.system [touch hit]',
    '!!python/name:os.system', '[' * 5000, '{a: ' * 5000, '? ' * 500, '- ' * 500, '"\\0"', '"\\ud800"', '"\\U00110000"',
    '"\\x1b[31m"', '\0', '\x1b', '\ufeff', '\u2028', '\U0001f600', '"', "'", '|', '>', '%', '@', '`', '{', ']', ': :',
    '[1, 2, 3]', '[a, b]', '[3, 1000001, 3]', '{a: 1, a: 2}', '{name: ' + 'x' * 5000 + '}', 'x' * 5000, '/dev/zero',
    '../../etc/passwd', '/' * 300, 'x/' * 3000, ' ', '\t', '--']


def damaged_bytes(rng, content):
    """Bits flipped, an end cut off, bytes put in, taken out or repeated."""
    content = bytearray(content)
    at, length = rng.randrange(len(content)), rng.choice([1, 2, 8, 100])
    way = rng.randrange(5)
    if way == 0:
        for _ in range(rng.choice([1, 1, 2, 8])):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif way == 1:
        del content[at:]
    elif way == 2:
        content[at:at] = rng.randbytes(length)
    elif way == 3:
        del content[at:at + length]
    else:
        content[at:at] = content[at:at + length]
    return bytes(content)


def damaged_text(rng, text):
    """Lines repeated, removed, exchanged or put in; a value in another one's place; or damaged bytes."""
    lines = text.split('\n')
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    way = rng.randrange(7)
    if way == 0:
        lines.insert(other, lines[at])
    elif way == 1:
        del lines[at]
    elif way == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif way == 3:
        lines.insert(at, ' ' * rng.randrange(5) + rng.choice(['', 'a: ', 'seed: ', 'args: ']) + rng.choice(NASTY))
    elif way in (4, 5):
        head, colon, _ = lines[at].partition(':')
        lines[at] = f'{head}{colon} {rng.choice(NASTY)}' if colon else lines[at] + rng.choice(NASTY)
    else:
        return damaged_bytes(rng, text.encode()).decode(errors=rng.choice(['replace', 'ignore']))
    return '\n'.join(lines)


def npy(array):
    file = io.BytesIO()
    numpy.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def swapped_array(rng, array):
    """Another array in one's place: of another type or shape, with numbers that are none, with pickle, a text."""
    shape = array.shape
    choices = [
        lambda: array.astype(rng.choice(['f2', 'f8', '>f4', 'i4', 'u1', 'c8', 'bool', 'longdouble', 'U9', 'S3'])),
        lambda: numpy.full(shape, rng.choice([numpy.nan, numpy.inf, -1, 0, 1e300, 3]), rng.choice(['f4', 'f8'])),
        lambda: numpy.full(shape, rng.choice([-1, 0, 3, 2 ** 62])), lambda: array[None], lambda: array.ravel()[:-1],
        lambda: numpy.array(rng.choice(NASTY)), lambda: numpy.array({'a': 1}, dtype=object),
        lambda: numpy.zeros(shape, [('a', 'f4')]), lambda: numpy.array(rng.choice([-1.0, 2 ** 63 - 1, 1j, True]))]
    if array.dtype.kind == 'U':
        lines = str(array).replace('}, ', '},\n')  # a log has one line of text
        choices = [lambda: numpy.array(damaged_text(rng, lines).replace('\0', ''))] * 4 + choices[-4:]
    return rng.choice(choices)()


def damaged_archive(rng, content):
    """An .npz file made anew, its checksums right, with one array swapped, damaged, renamed, repeated or left out."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = rng.randrange(len(members))
    name, member = members[at]
    way = rng.randrange(8)
    if way < 4:
        with numpy.errstate(all='ignore'):
            members[at] = name, npy(swapped_array(rng, numpy.load(io.BytesIO(member))))
    elif way == 4:
        members[at] = name, damaged_bytes(rng, member[:128]) + member[128:]
    elif way == 5:
        members[at] = rng.choice(['../' + name, name[:-4], 'x' + name, name.upper(), '/' + name, members[0][0]]), member
    elif way == 6:
        members[at] = name, rng.choice(members)[1]
    else:
        del members[at]
    file = io.BytesIO()
    packing = rng.choice([zipfile.ZIP_STORED] * 15 + [zipfile.ZIP_DEFLATED] * 4 + [zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(file, 'w', packing, compresslevel=1) as archive, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of a name that is there twice
        for name, member in members:
            archive.writestr(name, member)
    return file.getvalue()


def damaged_npz(rng, content):
    """Whether its checksums are right now, and the damaged file; damage of bytes lies where the archive's own are."""
    if rng.randrange(2):
        return True, damaged_archive(rng, content)
    if rng.randrange(2):
        return False, damaged_bytes(rng, content)
    starts = [found.start() for found in re.finditer(b'PK', content)]
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 3])):
        content[min(rng.choice(starts) + rng.randrange(80), len(content) - 1)] ^= 1 << rng.randrange(8)
    return False, bytes(content)
