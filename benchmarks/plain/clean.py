"""Collect T1w volumes as 0000.mhd, 0001.mhd, ...; beside util/miscs/clean_data.py.

    python benchmarks/plain/clean.py -i raw -o interim
"""
import argparse
from pathlib import Path

import SimpleITK


def main():
    parser = argparse.ArgumentParser(description='Collect T1w volumes as 0000.mhd, 0001.mhd, ...')
    parser.add_argument('-i', '--input', type=Path, required=True, help='folder with the volumes')
    parser.add_argument('-o', '--output', type=Path, required=True, help='folder of the result')
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    rows = ['case\tsource']
    for number, path in enumerate(sorted(args.input.rglob('*_T1w.nii.gz'))):
        SimpleITK.WriteImage(SimpleITK.ReadImage(str(path)), str(args.output / f'{number:04d}.mhd'))
        rows.append(f'{number:04d}\t{path.relative_to(args.input)}')
    (args.output / 'cases.tsv').write_text('\n'.join(rows) + '\n')


if __name__ == '__main__':
    main()
