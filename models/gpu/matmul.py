"""Products of float32 matrices on an NVIDIA GPU.

CuPy's own go through cuBLAS, which CuPy does not let into a CUDA graph (`util.training.recording`). These are for the
shapes of small networks: long and narrow, or a batch of small ones.
"""
from chainer.backends.cuda import cupy

from models.gpu.sources import kernel

_SIDE, _DEPTH, _THREADS = 16, 16, 256  # of matmul.cu
_BLOCKS = 264  # two for each multiprocessor of the largest GPUs of today
_MOST_SPLITS = 512
_MOST_BATCH = 65535  # blocks along that axis of a grid


def matmul(a, b, bias=None, relu=False, mask=None, out=None, accumulate=False):
    """a b of each of a batch, with what a layer does to it at once.

    The same result each time, to the bit: sums over a long depth are split, and their parts added up in one order.

    Args:
        a (cupy.ndarray): (batch, rows, depth), or (rows, depth) for all of a batch, float32; any strides, but it is
            fast only if one of the last two axes is contiguous.
        b (cupy.ndarray): (batch, depth, columns) or (depth, columns), as ``a``.
        bias (cupy.ndarray or None): (columns,), to be added.
        relu (bool): Rectify the sum.
        mask (cupy.ndarray or None): Of the result's shape, C-contiguous; the result is 0 where this is not positive.
        out (cupy.ndarray or None): Where the result goes, C-contiguous.
        accumulate (bool): Add it to what ``out`` holds; without bias, relu or mask.

    Returns:
        cupy.ndarray: (batch, rows, columns) or (rows, columns), float32, C-contiguous.
    """
    batch = a.shape[0] if a.ndim == 3 else b.shape[0] if b.ndim == 3 else 1
    rows, depth = a.shape[-2:]
    columns = b.shape[-1]
    if out is None:
        out = cupy.empty((b if b.ndim == 3 else a).shape[:-2] + (rows, columns), cupy.float32)
    if out.size == 0:
        return out
    if batch > _MOST_BATCH:
        for first in range(0, batch, _MOST_BATCH):
            part = slice(first, first + _MOST_BATCH)
            matmul(*(array[part] if array.ndim == 3 else array for array in (a, b)), bias, relu,
                   None if mask is None else mask[part], out[part], accumulate)
        return out
    column_tiles = -(-columns // (8 * _SIDE))
    tn = -(-columns // (column_tiles * _SIDE))
    tm = 8 if batch * -(-rows // (8 * _SIDE)) * column_tiles >= _BLOCKS else 4
    blocks = -(-rows // (tm * _SIDE)) * -(-columns // (tn * _SIDE))
    plain = bias is None and not relu and mask is None
    splits = min(-(-2 * _BLOCKS // (blocks * batch)), depth // (16 * _DEPTH), _MOST_SPLITS) if plain else 1
    splits = max(splits, 1)
    parts = out if splits == 1 else cupy.empty((splits,) + out.shape, cupy.float32)
    a_strides, b_strides = ([stride // 4 for stride in array.strides] for array in (a, b))
    macros = f'-DTM={tm}', f'-DTN={tn}', f'-DA_DEEP={int(a_strides[-1] == 1)}', f'-DB_DEEP={int(b_strides[-1] != 1)}'
    kernel('matmul', 'matmul', macros=macros)(
        (blocks, batch, splits), (_THREADS,),
        (a, b, parts, _pointer(bias), _pointer(mask), *map(cupy.int32, (rows, columns, depth)),
         *_strides(a_strides), *_strides(b_strides), cupy.int32(splits), cupy.int32(-(-depth // splits)),
         cupy.int32(relu), cupy.int32(accumulate and splits == 1)))
    if splits > 1:
        kernel('matmul', 'add_splits', macros=macros)(
            (-(-out.size // _THREADS),), (_THREADS,),
            (parts, out, out.size, cupy.int32(splits), cupy.int32(accumulate)))
    return out


def _strides(strides):
    """Of the batch, and of the last two axes; all in numbers and not in bytes."""
    return (strides[0] if len(strides) == 3 else 0), *map(cupy.int32, strides[-2:])


def _pointer(array):
    return 0 if array is None else array
