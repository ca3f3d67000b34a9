"""Put what no training has seen into scans, and tell whether the predicted deviation rises as the error does.

    python util/miscs/probe_uncertainty.py -m MODEL --pairs LR_FOLDER HR_FOLDER --samples 32
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.inference.pretrained import model_path
from util.script import PROJECT, UserError, a_path, blaming, check_draws, check_there, progress, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Put a ball of 16 mm into the white matter of T1-weighted heads, dark, bright, with a ring or of '
                    'noise, and invert their contrast; make LR of it, and print the deviations that a network '
                    'predicts there, and its error, over those without. First their size as it is, in percent of the '
                    'brightest tissue.')
    parser.add_argument('-m', '--model', type=a_path, required=True, help='model file that predicts a deviation')
    parser.add_argument('--pairs', type=a_path, nargs=2, metavar=('LR_FOLDER', 'HR_FOLDER'), required=True,
                        help='the volumes that have the same name in two folders')
    parser.add_argument('--samples', type=int, metavar='T', help='draw T networks, as inference.py does')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-R', '--root', type=a_path, default=PROJECT,
                        help="folder where a network's own code may lie (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    args.model = model_path(args.model)
    check_there(args.model, 'model file')
    check_draws(args.samples)
    # Imported here: neither --help nor a wrong argument waits for them.
    from util.dataset.pairs import read_pair
    from util.device import get_device
    from util.inference import experiment, inputs
    from util.inference.probing import probe
    from util.inference.super_resolution import check_samples

    device = get_device(args.gpu)
    config, net = experiment.open_model(args.model, root=args.root)
    net.to_device(device)
    with blaming(args.model):
        check_samples(net, args.samples)
    rows = {}
    cases = inputs.pairs_of_folders(*args.pairs)
    width = max(12, *(len(case.name) for case in cases))
    for case in progress(cases, 'probe_uncertainty', 'case'):
        lr, hr = read_pair(case, config)
        with blaming(case.hr_path):
            for name, sizes in probe(net, config, lr, hr, case.name, args.samples):
                if 'deviation' not in sizes:
                    break
                if not rows:
                    print(line(width, 'case', 'probe', sizes), flush=True)
                rows.setdefault(name, []).append(sizes)
                print(line(width, case.name, name, (f'{size:.2f}' for size in sizes.values())), flush=True)
        if 'deviation' not in sizes:
            raise UserError(f'{args.model}: this network predicts no deviation, so there is nothing to probe; '
                            'configs/x4_bayesian.yml trains one that does')
    for name, found in rows.items() if len(rows[next(iter(rows))]) > 1 else ():
        ends = ([function(sizes[key] for sizes in found) for function in (min, max)] for key in found[0])
        print(line(width, 'all', name, (f'{low:.2f}-{high:.2f}' for low, high in ends)))


def line(width, case, name, cells):
    return f'{case:{width}}  {name:8}' + ''.join(f'{cell:>14}' for cell in cells)


if __name__ == '__main__':
    run(main)
