"""What a report says, read by another program than the page's own, for the tests."""
import base64
import json
import zlib
from html.parser import HTMLParser

import numpy


class Reader(HTMLParser):
    """The tables, the data of the views, and the tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.views, self.tags, self.text = [], [], [], ''
        self._cell, self._is_view = None, False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._is_view = tag == 'script' and dict(attributes).get('class') == 'view'
        if tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('td', 'th'):
            self.tables[-1][-1].append('')
            self._cell = self.tables[-1][-1]

    def handle_endtag(self, tag):
        self._cell, self._is_view = None, False

    def handle_data(self, data):
        if self._is_view:
            self.views.append(json.loads(data))
        elif self._cell is not None:
            self._cell[-1] += data
        self.text += data


def decode(text, inside):
    """The values of an embedded volume, voxel by voxel, as `util.reports.embedded` describes its texts."""
    small, large = (zlib.decompress(base64.b64decode(text[name])) for name in ('bytes', 'large'))
    small, large = iter(small), iter(numpy.frombuffer(large, '<i4').tolist())
    codes = numpy.zeros([side + 1 for side in inside.shape], int)  # with a border of zeros before each axis
    for z, y, x in numpy.argwhere(inside) + 1:
        number = next(small)
        number = next(large) if number == 255 else number
        a, b, c = codes[z - 1, y, x], codes[z, y - 1, x], codes[z, y, x - 1]
        ab, ac, bc = codes[z - 1, y - 1, x], codes[z - 1, y, x - 1], codes[z, y - 1, x - 1]
        residual = -(number + 1) // 2 if number % 2 else number // 2
        codes[z, y, x] = (2 * (a + b + c) - ab - ac - bc) // 3 + residual
    assert next(small, None) is None and next(large, None) is None
    return codes[1:, 1:, 1:] * text['step']


def decode_view(view):
    """The volumes of a view by their names, the mask of the voxels that are kept, and their box as slices."""
    lr_box = [side // rate for side, rate in zip(view['size'], view['rate'])]
    inside = decode(view['mask'], numpy.ones(lr_box, bool)) > 0
    for axis, rate in enumerate(view['rate']):
        inside = inside.repeat(rate, axis)
    texts = {'network': view['network'], 'truth': view['truth'], **view['maps']}
    volumes = {name: decode(text, inside) for name, text in texts.items()}
    volumes['LR'] = decode(view['LR'], numpy.ones(view['lr_size'], bool))
    return volumes, inside, tuple(slice(start, start + side) for start, side in zip(view['corner'], view['size']))
