"""The 3D-ESPCN as one would write it in PyTorch."""
import numpy
import torch
from torch import nn
from torch.nn import functional


class ESPCN3D(nn.Module):
    """Three convolutions on the LR volume, then the pixel shuffle.

    Args:
        rate (int): HR voxels per LR voxel along each axis.
        residual (bool): Add the linear interpolation of the LR volume.
    """

    def __init__(self, rate, residual=False):
        super().__init__()
        self.rate, self.residual = rate, residual
        self.conv1 = nn.Conv3d(1, 50, 3, padding=1)
        self.conv2 = nn.Conv3d(50, 100, 1)
        self.conv3 = nn.Conv3d(100, rate ** 3, 3, padding=1)

    def forward(self, x):
        """Super-resolve a batch, (N, 1, D, H, W) -> (N, 1, r*D, r*H, r*W), float32."""
        h = shuffle(self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x))))), self.rate)
        return h + linear(x, self.rate) if self.residual else h

    def load(self, weights):
        """Take weights, and the memory format that PyTorch is fastest in.

        Args:
            weights (list): (W, b) of each layer, float32: W (C_out, C_in, k, k, k) and b (C_out,).

        Returns:
            ESPCN3D: Itself.
        """
        return take(self, (self.conv1, self.conv2, self.conv3), weights)


class DeepESPCN3D(nn.Module):
    """Residual blocks between the first and the last convolution, then the pixel shuffle.

    Args:
        rate (int): HR voxels per LR voxel along each axis.
        blocks (int): How many, of two convolutions each.
        width (int): Feature maps.
    """

    def __init__(self, rate, blocks, width=48):
        super().__init__()
        self.rate = rate
        self.first = nn.Conv3d(1, width, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv3d(width, width, 3, padding=1) for _ in range(2 * blocks))
        self.last = nn.Conv3d(width, rate ** 3, 3, padding=1)

    def forward(self, x):
        """As of ESPCN3D."""
        h = torch.relu(self.first(x))
        for one, other in zip(self.inner[::2], self.inner[1::2]):
            h = h + other(torch.relu(one(h)))
        return shuffle(self.last(h), self.rate)

    def load(self, weights):
        """As of ESPCN3D."""
        return take(self, (self.first, *self.inner, self.last), weights)


def take(net, convolutions, weights):
    """A network with weights of its convolutions, in the memory format that PyTorch is fastest in."""
    with torch.no_grad():
        for conv, (W, b) in zip(convolutions, weights):
            conv.weight.copy_(torch.from_numpy(W))
            conv.bias.copy_(torch.from_numpy(b))
    return net.to(memory_format=torch.channels_last_3d)


def shuffle(h, r):
    """The pixel shuffle, (N, r^3, D, H, W) -> (N, 1, r*D, r*H, r*W)."""
    n, _, depth, height, width = h.shape
    h = h.reshape(n, 1, r, r, r, depth, height, width).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return h.reshape(n, 1, r * depth, r * height, r * width)


def linear(x, rate):
    """Linear interpolation where LR voxel i lies at HR index rate * i; beyond the last LR voxel its value stays.

    Args:
        x (torch.Tensor): LR, (N, 1, D, H, W).
        rate (int): HR voxels per LR voxel along each axis.

    Returns:
        torch.Tensor: (N, 1, r*D, r*H, r*W).
    """
    between = functional.interpolate(x, [rate * (n - 1) + 1 for n in x.shape[2:]], mode='trilinear',
                                     align_corners=True)
    return functional.pad(between, [0, rate - 1] * 3, mode='replicate')


def load(path):
    """Make the network of a model file of this project, with the linear interpolation added.

    Args:
        path (str): The .npz file: ``conv1/W``, ``conv1/b`` and so on.

    Returns:
        ESPCN3D: The network.
    """
    with numpy.load(path) as arrays:
        weights = [(arrays[f'conv{i}/W'], arrays[f'conv{i}/b']) for i in (1, 2, 3)]
    return ESPCN3D(round(len(weights[2][1]) ** (1 / 3)), residual=True).load(weights)
