"""Train the network on random patches; beside training.py.

    python benchmarks/plain/train.py -m start.npz -o out --training LIST --val LIST --iterations 60
"""
import argparse
import json
from pathlib import Path

import matplotlib
import numpy
import SimpleITK
import torch
from torch.nn.functional import mse_loss

from network import load

matplotlib.use('Agg')
from matplotlib import pyplot


def read_pairs(path):
    """The pairs of a list: (lr, hr) of each case, (1, z, y, x), float32, both divided by the LR's 99th percentile."""
    pairs = []
    for line in path.read_text().splitlines():
        lr, hr = (SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(name, SimpleITK.sitkFloat32))[None]
                  for name in line.split())
        scale = float(numpy.percentile(lr, 99))
        pairs.append((torch.from_numpy(lr / scale), torch.from_numpy(hr / scale)))
    return pairs


def random_batch(pairs, batch, side, rate, rng):
    """Patches from anywhere: LR (N, 1, s, s, s) and HR (N, 1, r*s, r*s, r*s)."""
    lr_patches, hr_patches = [], []
    for _ in range(batch):
        lr, hr = pairs[rng.integers(len(pairs))]
        z, y, x = (rng.integers(n - side + 1) for n in lr.shape[1:])
        lr_patches.append(lr[:, z:z + side, y:y + side, x:x + side])
        z, y, x, edge = (rate * n for n in (z, y, x, side))
        hr_patches.append(hr[:, z:z + edge, y:y + edge, x:x + edge])
    return torch.stack(lr_patches).to(memory_format=torch.channels_last_3d), torch.stack(hr_patches)


def validate(net, pairs):
    """Mean squared error and PSNR (dB), the mean over whole volumes."""
    losses, psnrs = [], []
    with torch.inference_mode():
        for lr, hr in pairs:
            loss = float(mse_loss(net(lr[None].to(memory_format=torch.channels_last_3d))[0], hr))
            losses.append(loss)
            psnrs.append(10 * numpy.log10(float(hr.max() - hr.min()) ** 2 / loss))
    return {'val/loss': numpy.mean(losses), 'val/psnr': numpy.mean(psnrs)}


def main():
    parser = argparse.ArgumentParser(description='Train the network on random patches.')
    parser.add_argument('-m', '--model', required=True, help='model file (.npz) to start from')
    parser.add_argument('-o', '--out', type=Path, required=True, help='folder of the run')
    parser.add_argument('--training', type=Path, required=True, help='list of the training pairs')
    parser.add_argument('--val', type=Path, required=True, help='list of the validation pairs')
    parser.add_argument('--iterations', type=int, required=True)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--side', type=int, default=12, help='LR voxels of a patch')
    parser.add_argument('--alpha', type=float, default=2e-3)
    args = parser.parse_args()

    net = load(args.model)
    pairs, val_pairs = read_pairs(args.training), read_pairs(args.val)
    optimizer = torch.optim.Adam(net.parameters(), lr=args.alpha, betas=(0.9, 0.99), fused=True)
    rng = numpy.random.default_rng(0)
    losses = []
    for _ in range(args.iterations):
        lr, hr = random_batch(pairs, args.batch, args.side, net.rate, rng)
        optimizer.zero_grad()
        loss = mse_loss(net(lr), hr)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    args.out.mkdir(parents=True, exist_ok=True)
    log = {'iteration': args.iterations, 'main/loss': numpy.mean(losses), **validate(net, val_pairs)}
    (args.out / 'log').write_text(json.dumps([log]))
    torch.save({'net': net.state_dict(), 'optimizer': optimizer.state_dict()}, args.out / 'model.pt')
    pyplot.semilogy(losses)
    pyplot.savefig(args.out / 'loss.png')


if __name__ == '__main__':
    main()
