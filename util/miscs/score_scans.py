"""Score what inference.py made of scans without a truth: whether it agrees with them, and the detail it keeps.

    python util/miscs/score_scans.py -m MODEL -i scans/
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.inference.pretrained import model_path
from util.script import PROJECT, UserError, a_path, blaming, check_there, progress, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Score the volumes that inference.py -i made of scans, beside interpolations, without a truth: how '
                    'far their means over each slice are from the scan, in percent of its range in the head; how many '
                    'percent of the head lie beyond all scan voxels around them; and of thick slices how uneven in '
                    "brightness the thin ones are, and how much of the scan's detail in plane each of them has.")
    parser.add_argument('-m', '--model', type=a_path, required=True, help='model file that the results are of')
    parser.add_argument('-i', '--input', type=a_path, nargs='+', required=True, metavar='LR',
                        help='the scans, as inference.py was given them')
    parser.add_argument('-o', '--out', type=a_path, default=PROJECT / 'results/inference',
                        help='folder of the results of inference.py, or the one file, as its -o (default: '
                             'results/inference in the project)')
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's); returns the exit code."""
    args = parse_arguments(argv)
    args.model = model_path(args.model)
    check_there(args.model, 'model file')
    # Imported here: neither --help nor a wrong argument waits for them.
    from util.config_files import load_config, read_experiment
    from util.inference import inputs
    from util.inference.model_file import read_lie

    # as inference.py chooses it; of the network no code runs here, so it may lie anywhere
    config = read_experiment(args.model) or load_config(PROJECT / 'configs/base.yml')
    sampling, lie = config.sampling, read_lie(args.model)
    out, cases = inputs.file_of_results(args.out, inputs.scans(args.input, sampling.rate, args.out))
    width = max(len(case.name) for case in cases)
    failures = []
    for number, case in enumerate(progress(cases, 'score_scans', 'case')):
        try:
            check_there(out / case.file(), 'result of inference.py, which has to be run first')
            scores = score(out, case, sampling, lie)
        except UserError as error:  # such as of a scan that inference.py could not do either
            failures.append(str(error))
            continue
        if len(failures) == number:  # the first that is scored
            print(f'{"case":{width}}  {"method":8}  off [%]  dots [%]  stripes [%]  detail in plane kept, '
                  'slice by slice')
        for method, (off, beyond, *of_slices) in scores.items():
            line = f'{case.name:{width}}  {method:8}  {100 * off:7.2f}  {100 * beyond:8.4f}'
            if of_slices:
                uneven, detail = of_slices
                line += f'  {100 * uneven:11.2f}  {" ".join(f"{d:.2f}" for d in detail)}'
            print(line, flush=True)
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    if not failures:
        return 0
    return 1 if len(failures) < len(cases) else 2


def score(folder, case, sampling, lie):
    """The scores of a case, on the grid that the network saw: of the network and of each interpolation.

    Args:
        folder (Path): The results of inference.py.
        case (~util.dataset.case_lists.Case): The scan; its HR volume is not known.
        sampling (~util.volumes.sampling.Sampling): The network's.
        lie (~util.volumes.orientation.Lie or None): How the training's volumes lie; None: unknown.

    Returns:
        dict: Method -> tuple of the scores of `util.scores.consistency`: ``data_consistency`` and ``dots``, and, where
        one axis alone has a rate above 1, ``stripes`` and ``detail_kept``. Floats, fractions of 1; the last one an
        array (r,), float64.

    Raises:
        UserError: If a volume cannot be read, the result does not lie over the scan as the sampling says, or the scan
            has no head.
    """
    import numpy
    from util.scores.consistency import data_consistency, detail_kept, dots, stripes
    from util.volumes.geometry import check_pair
    from util.volumes.head_mask import head_mask
    from util.volumes.interpolation import METHODS, upsample
    from util.volumes.orientation import lay, layout_as
    from util.volumes.reading import read_volume

    lr, path = read_volume(case.lr_path, numpy.float32), folder / case.file()
    layout = layout_as(lr, lie, sampling.rate)
    lr, sr = lay(lr, layout), lay(read_volume(path, numpy.float32), layout)
    try:
        check_pair(lr, sr, sampling, (case.lr_path, path))
    except UserError:
        raise UserError(f'{path}: not what inference.py makes of {case.lr_path} with this model; run that again'
                        ) from None
    with blaming(case.lr_path):
        head = head_mask(lr.array)
    scores, one_axis = {}, sum(r > 1 for r in sampling.rate) == 1
    for method in ('network', *METHODS):
        image = sr.array if method == 'network' else upsample(lr.array, sampling, method)
        of = lr.array, image, sampling, head
        scores[method] = data_consistency(*of), dots(*of)
        if one_axis:
            scores[method] += stripes(image, sampling, head), detail_kept(*of)
    return scores


if __name__ == '__main__':
    run(main)
