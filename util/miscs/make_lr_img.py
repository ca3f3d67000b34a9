"""Make the LR-HR pairs of an experiment: data/interim/NNNN.mhd -> data/processed/HR/NNNN.mhd and LR/NNNN.mhd

    python util/miscs/make_lr_img.py -c configs/base.yml
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.script import PROJECT, UserError, a_path, check_there, importing, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description="Make LR volumes at a config's upsampling_rate and degradation, and the HR volumes that belong to "
                    'them: cropped at the far ends to multiples of the rate, of their own intensity type. LR is '
                    'float32. Pairs that an earlier run left there are replaced or removed.')
    parser.add_argument('-c', '--config_path', type=a_path, default=PROJECT / 'configs/base.yml',
                        help='the experiment (default: configs/base.yml in the project)')
    parser.add_argument('-i', '--input', type=a_path, default=PROJECT / 'data/interim',
                        help='folder with the volumes (default: data/interim in the project)')
    parser.add_argument('-o', '--output', type=a_path, default=PROJECT / 'data/processed',
                        help='folder in which LR and HR are made (default: data/processed in the project)')
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    check_there(args.config_path, 'config')
    # Imported here: neither --help nor a wrong argument waits for them.
    with importing():
        from util.config_files import load_config
        from util.dataset.making_pairs import make_pairs
        from util.lock import locked

    config = load_config(args.config_path)
    paths = sorted(args.input.glob('*.mhd'))
    if not paths:
        raise UserError(f'{args.input}: no .mhd volumes there; make them with: python util/miscs/clean_data.py')
    with locked(args.output):
        make_pairs(paths, config, args.output)
    print(f'{len(paths)} pairs in {args.output}: rate {config.upsampling_rate} (z, y, x), {config.degradation.name}')


if __name__ == '__main__':
    run(main)
