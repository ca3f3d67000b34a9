"""Make the LR-HR pairs of an experiment: data/interim/NNNN.mhd -> data/processed/HR/NNNN.mhd and LR/NNNN.mhd

    python util/miscs/make_lr_img.py -c configs/base.yml
"""
import argparse
import sys
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.config_files import load_config
from util.dataset.cases_table import TABLE, read_table
from util.dataset.pairs_info import read_pairs_info, write_pairs_info
from util.lock import locked
from util.script import PROJECT, UserError, blaming, run
from util.volumes.degradation import degrade, noise_rng
from util.volumes.geometry import crop_to_multiple, lr_volume_geometry
from util.volumes.reading import read_volume
from util.volumes.volume import Volume
from util.volumes.writing import data_file, remove_strays, remove_volume, write_volume


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description="Make LR volumes at a config's upsampling_rate and degradation, and the HR volumes that belong to "
                    'them: cropped at the far ends to multiples of the rate, of their own intensity type. LR is '
                    'float32. Pairs that an earlier run left there are replaced or removed.')
    parser.add_argument('-c', '--config_path', type=Path, default=PROJECT / 'configs/base.yml',
                        help='the experiment (default: configs/base.yml in the project)')
    parser.add_argument('-i', '--input', type=Path, default=PROJECT / 'data/interim',
                        help='folder with the volumes (default: data/interim in the project)')
    parser.add_argument('-o', '--output', type=Path, default=PROJECT / 'data/processed',
                        help='folder in which LR and HR are made (default: data/processed in the project)')
    return parser.parse_args(argv)


def make_pair(path, config):
    """The LR and the HR volume made of one volume."""
    degradation = config.degradation
    volume = read_volume(path)
    with blaming(path):
        hr = crop_to_multiple(volume, config.upsampling_rate)
    lr = degrade(hr.array, config.upsampling_rate, degradation.name, degradation.noise_sigma,
                 noise_rng(config.seed, path.stem), **degradation.settings)
    return Volume(lr, *lr_volume_geometry(hr, config.sampling)), hr


def subjects_of(folder, paths):
    """Whose the volumes are, as far as their table says: case -> subject."""
    table = read_table(folder)
    if table is None:
        return {}
    unknown = [path.stem for path in paths if path.stem not in table]
    if unknown:
        print(f'not in {folder / TABLE}: {", ".join(unknown)}; where the names do not say whose they are, each counts '
              'as a subject of its own')
    return {path.stem: table[path.stem]['subject'] for path in paths if path.stem in table}


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    config = load_config(args.config_path)
    paths = sorted(args.input.glob('*.mhd'))
    if not paths:
        raise UserError(f'{args.input}: no .mhd volumes there; make them with: python util/miscs/clean_data.py')
    with locked(args.output):
        make_pairs(paths, config, args)


def make_pairs(paths, config, args):
    """Make the pairs of volumes in a folder that no other run writes into."""
    cases, subjects = {path.stem for path in paths}, subjects_of(args.input, paths)
    earlier = set((read_pairs_info(args.output) or {'cases': []})['cases'])
    for kind in ('LR', 'HR'):
        remove_strays(args.output / kind)
        for path in paths:
            target = args.output / kind / path.name
            if path.resolve() == target.resolve() or data_file(path).resolve() == target.with_suffix('.raw').resolve():
                raise UserError(f'{path}: the pairs would replace this volume; name another folder with -o')
            if target.exists() and path.stem not in earlier:
                raise UserError(f'{target} is there and was not made by this script; name another folder with -o')

    write_pairs_info(args.output, config, cases | earlier, complete=False)
    for path in tqdm(paths, desc='make_lr_img', unit='volume', disable=None):
        for kind, volume in zip(('LR', 'HR'), make_pair(path, config)):
            write_volume(args.output / kind / path.name, volume)
    for case in earlier - cases:
        for kind in ('LR', 'HR'):
            remove_volume(args.output / kind / f'{case}.mhd')
    write_pairs_info(args.output, config, cases, complete=True, subjects=subjects)
    print(f'{len(cases)} pairs in {args.output}: rate {config.upsampling_rate} (z, y, x), {config.degradation.name}')


if __name__ == '__main__':
    run(main)
