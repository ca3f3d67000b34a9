"""What an ONNX graph of a network is made of: arrays and the operators of ONNX, for any number of volumes of any size.

ONNX's DepthToSpace knows images alone and its Resize other borders, so both are put together from simpler operators.
"""
import numpy

from util.script import UserError
from util.volumes.interpolation import interpolation_matrix

OPSET, IR_VERSION = 18, 8  # as old as allows Pad, Shape and Conv to be what they are here: old runtimes read it too
MOST_BYTES = 2 ** 31 - 2 ** 20  # of weights: a file of protobuf ends at 2 GiB
PRODUCER = '3D-ESPCN in Chainer'


class Graph:
    """A graph that is being written; a value in it, (N, C, D, H, W), float32, goes by its name.

    Args:
        inputs (str): Name of its input.

    Attributes:
        nodes (list): ``onnx.NodeProto``, in the order of computation.
        constants (dict): Name -> numpy.ndarray.
    """

    def __init__(self, inputs):
        self.inputs, self.nodes, self.constants = inputs, [], {}

    def add(self, kind, *values, **attributes):
        """Compute an operator of ONNX.

        Args:
            kind (str): Its name in ONNX.
            values (str or array): What it takes; an array becomes a constant.
            attributes: As ONNX has them.

        Returns:
            str: The result's name.
        """
        from onnx import helper  # here, since it is optional

        name = f'{kind}_{len(self.nodes)}'
        values = [value if isinstance(value, str) else self.constant(f'{name}_{place}', value)
                  for place, value in enumerate(values)]
        self.nodes.append(helper.make_node(kind, values, [name], name, **attributes))
        return name

    def constant(self, name, array):
        """Have an array, whose type stays, in the file under a name; returns the name."""
        self.constants[name] = numpy.asarray(array)
        return name

    def convolution(self, x, name, W, b, relu=False):
        """As `models.convolution_3d.convolution_3d`; W and b are called ``name/W`` and ``name/b``, as in Chainer.

        Args:
            x (str): (N, C_in, D, H, W).
            name (str): The layer's.
            W (numpy.ndarray): (C_out, C_in, k_z, k_y, k_x), float32, each k odd.
            b (numpy.ndarray): (C_out,), float32.
            relu (bool): Whether the sum is rectified.

        Returns:
            str: (N, C_out, D, H, W).
        """
        kernel = W.shape[2:]
        y = self.add('Conv', x, self.constant(f'{name}/W', W), self.constant(f'{name}/b', b), kernel_shape=kernel,
                     pads=[k // 2 for k in kernel] * 2)
        return self.add('Relu', y) if relu else y

    def pixel_shuffle(self, h, rate):
        """As `models.pixel_shuffler_3d`: (N, C*r_z*r_y*r_x, D, H, W) to (N, C, r_z*D, r_y*H, r_x*W)."""
        size = self.add('Shape', h, start=2)
        # In a Reshape 0 keeps that axis, and -1 stands for what is left.
        apart = self.add('Concat', numpy.array([0, -1, *rate]), size, axis=0)
        blocks = self.add('Transpose', self.add('Reshape', h, apart), perm=(0, 1, 5, 2, 6, 3, 7, 4))
        hr_size = self.add('Mul', size, numpy.array(rate))
        return self.add('Reshape', blocks, self.add('Concat', numpy.array([0, 0]), hr_size, axis=0))

    def interpolation(self, x, channels, sampling, method):
        """`util.volumes.interpolation` of LR volumes, as the pixel shuffler takes it: exact at any size, borders too.

        HR voxels of one LR voxel's block lie at most one LR voxel away from it, and what lies outside of the volume is
        its edge. So this is a convolution of the volume, repeated once at its edges, with three taps along each axis.
        They are what an LR voxel between two others gives to its block.

        Args:
            x (str): (N, C, D, H, W).
            channels (int): C.
            sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
            method (str): ``'nearest'`` or ``'linear'``; others depend on voxels further away.

        Returns:
            str: (N, C*r_z*r_y*r_x, D, H, W).
        """
        along_z, along_y, along_x = (interpolation_matrix(3, r, offset, method)[r:2 * r]
                                     for r, offset in zip(sampling.rate, sampling.offset))
        taps = numpy.einsum('az,by,cx->abczyx', along_z, along_y, along_x).reshape(-1, 1, 3, 3, 3)
        edges = self.add('Pad', x, numpy.array([0, 0, 1, 1, 1] * 2), mode='edge')
        return self.add('Conv', edges, numpy.tile(taps, (channels, 1, 1, 1, 1)), kernel_shape=(3, 3, 3), group=channels)

    def softplus(self, x):
        """log(1 + exp(x)), to float32's precision. OpenVINO's own is off by 1e-6 in small values, by half of 2e-6."""
        e = self.add('Exp', self.add('Neg', self.add('Abs', x)))
        # log(1 + e) = 2 atanh(e / (2 + e))
        half = self.add('Atanh', self.add('Div', e, self.add('Add', e, numpy.float32(2))))
        return self.add('Add', self.add('Relu', x), self.add('Mul', half, numpy.float32(2)))

    def model(self, channels, rate, outputs, metadata):
        """The finished file.

        Args:
            channels (int): Of the input, and of each output.
            rate ((int, int, int)): HR voxels per LR voxel, (z, y, x).
            outputs (dict): Name in the file -> value, each (N, C, r_z*D, r_y*H, r_x*W).
            metadata (dict): Name -> text.

        Returns:
            onnx.ModelProto: Its input is (N, C, D, H, W), float32.

        Raises:
            UserError: If the weights are more than such a file can hold.
        """
        from onnx import TensorProto, helper, numpy_helper

        size = sum(array.nbytes for array in self.constants.values())
        if size > MOST_BYTES:
            raise UserError(f'{size >> 20} MiB of weights; an ONNX file holds at most {MOST_BYTES >> 20} MiB')
        nodes = self.nodes + [helper.make_node('Identity', [value], [name]) for name, value in outputs.items()]
        sides = 'D', 'H', 'W'
        graph = helper.make_graph(
            nodes, 'super_resolution',
            [helper.make_tensor_value_info(self.inputs, TensorProto.FLOAT, ['N', channels, *sides])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT,
                                           ['N', channels, *(f'{r}*{side}' for r, side in zip(rate, sides))])
             for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=IR_VERSION,
                                  producer_name=PRODUCER)
        helper.set_model_props(model, metadata)
        return model
