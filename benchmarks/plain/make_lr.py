"""Make LR-HR pairs by taking every fourth voxel; beside util/miscs/make_lr_img.py.

    python benchmarks/plain/make_lr.py -i interim -o processed
"""
import argparse
from pathlib import Path

import SimpleITK

RATE = 4


def main():
    parser = argparse.ArgumentParser(description='Make LR-HR pairs by taking every fourth voxel.')
    parser.add_argument('-i', '--input', type=Path, required=True, help='folder with the volumes')
    parser.add_argument('-o', '--output', type=Path, required=True, help='folder in which LR and HR are made')
    args = parser.parse_args()
    for kind in ('LR', 'HR'):
        (args.output / kind).mkdir(parents=True, exist_ok=True)
    for path in sorted(args.input.glob('*.mhd')):
        hr = SimpleITK.ReadImage(str(path))
        hr = hr[tuple(slice(0, n // RATE * RATE) for n in hr.GetSize())]
        lr = SimpleITK.Cast(hr[::RATE, ::RATE, ::RATE], SimpleITK.sitkFloat32)
        SimpleITK.WriteImage(lr, str(args.output / 'LR' / path.name))
        SimpleITK.WriteImage(hr, str(args.output / 'HR' / path.name))


if __name__ == '__main__':
    main()
