"""Make the LR-HR pairs of a tensor experiment: diffusion series below data/raw -> data/dti/HR/NAME.mhd and LR/NAME.mhd

    python util/miscs/fit_tensor.py -c configs/dti_x2.yml
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.script import PROJECT, UserError, a_path, check_there, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Fit diffusion tensors to series of diffusion images (NIfTI, with .bval and .bvec of the same name '
                    "beside it), and to the same images degraded at a config's upsampling_rate: the HR and LR volumes "
                    'of an experiment, of six channels Dxx, Dxy, Dyy, Dxz, Dyz, Dzz in 1e-3 mm^2/s, 0 outside of the '
                    'brain. Pairs that an earlier run left there are replaced or removed.')
    parser.add_argument('-c', '--config_path', type=a_path, default=PROJECT / 'configs/dti_x2.yml',
                        help='the experiment (default: configs/dti_x2.yml in the project)')
    parser.add_argument('-i', '--input', type=a_path, default=PROJECT / 'data/raw',
                        help='folder with the series, in any tree (default: data/raw in the project)')
    parser.add_argument('-o', '--output', type=a_path, default=PROJECT / 'data/dti',
                        help='folder in which LR and HR are made (default: data/dti in the project)')
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    check_there(args.config_path, 'config')
    if not args.input.is_dir():
        raise UserError(f'{args.input}: no such folder; put the series there, in any tree, or name another with -i')
    # Imported here: neither --help nor a wrong argument waits for them.
    from util.config_files import load_config
    from util.dataset.gradients import find_series
    from util.dataset.making_pairs import make_tensor_pairs
    from util.lock import locked

    config = load_config(args.config_path)
    paths = find_series(args.input)
    if not paths:
        raise UserError(f'{args.input}: no diffusion series there: NIfTI files with .bval and .bvec files of the same '
                        'name beside them')
    with locked(args.output):
        make_tensor_pairs(paths, args.input, config, args.output)
    print(f'{len(paths)} pairs of tensors in {args.output}: rate {config.upsampling_rate} (z, y, x), '
          f'{config.degradation.name} of the diffusion images')


if __name__ == '__main__':
    run(main)
