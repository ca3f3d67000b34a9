"""Super-resolve LR volumes, and score them where the HR volume is known; beside inference.py.

    python benchmarks/plain/infer.py -m gen_best.npz -o out (-i LR [LR ...] | --list LIST)
"""
import argparse
from pathlib import Path

import numpy
import SimpleITK
import torch

from network import load


def super_resolve(net, lr):
    """An LR volume (z, y, x) -> an HR volume (r*z, r*y, r*x), float32, in the same intensity units."""
    scale = float(numpy.percentile(lr, 99))
    with torch.inference_mode():
        x = torch.from_numpy(lr / scale)[None, None].to(memory_format=torch.channels_last_3d)
        return net(x)[0, 0].numpy() * scale


def write(path, array, lr_image, rate):
    """Write an HR volume where its LR volume lies; LR voxel 0 is HR voxel 0."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing([spacing / rate for spacing in lr_image.GetSpacing()])
    image.SetOrigin(lr_image.GetOrigin())
    image.SetDirection(lr_image.GetDirection())
    SimpleITK.WriteImage(image, str(path))


def main():
    parser = argparse.ArgumentParser(description='Super-resolve LR volumes; score them where the HR volume is known.')
    parser.add_argument('-m', '--model', required=True, help='model file (.npz)')
    parser.add_argument('-o', '--out', type=Path, required=True, help='folder of the results')
    parser.add_argument('-i', '--input', type=Path, nargs='+', default=[], help='LR volumes')
    parser.add_argument('--list', type=Path, help='text file: a LR path and a HR path per line')
    args = parser.parse_args()

    cases = [(path, None) for path in args.input]
    if args.list:
        cases += [tuple(map(Path, line.split())) for line in args.list.read_text().splitlines()]
    net = load(args.model)
    args.out.mkdir(parents=True, exist_ok=True)
    rows = {}
    for lr_path, hr_path in cases:
        image = SimpleITK.ReadImage(str(lr_path), SimpleITK.sitkFloat32)
        lr = SimpleITK.GetArrayFromImage(image)
        sr = super_resolve(net, lr)
        write(args.out / f'{lr_path.stem}.mhd', sr, image, net.rate)
        if hr_path:
            import score
            hr = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(hr_path), SimpleITK.sitkFloat32))
            images = {'network': sr, **score.interpolations(lr, net.rate)}
            rows[lr_path.stem] = score.scores(hr, images)
            score.save_figure(args.out / f'{lr_path.stem}.png', lr, hr, images)
    if rows:
        score.save_table(args.out / 'scores.csv', rows)


if __name__ == '__main__':
    main()
