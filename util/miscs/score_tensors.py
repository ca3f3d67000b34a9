"""Score super-resolved diffusion tensors beside interpolations: RMSE of the elements, of MD and of FA.

    python util/miscs/score_tensors.py -m results/training/gen_best.npz
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.inference.pretrained import model_path
from util.script import PROJECT, UserError, a_path, blaming, check_there, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Score the tensors that inference.py made of the test list, and three interpolations, in the brain '
                    'and in its interior and exterior; and NAME_deviation.mhd, where the network predicts a deviation, '
                    "for MD and FA. Writes tensor_scores.csv into the results' folder.")
    parser.add_argument('-m', '--model', type=a_path, required=True, help='model file that the results are of')
    parser.add_argument('-i', '--input', type=a_path, default=PROJECT / 'results/inference',
                        help='folder of the results of inference.py (default: results/inference in the project)')
    parser.add_argument('-R', '--root', type=a_path, default=PROJECT,
                        help="folder that the config's and the list's relative paths start from (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    args.model = model_path(args.model)
    check_there(args.model, 'model file')
    # Imported here: neither --help nor a wrong argument waits for them.
    from util.inference import experiment
    from util.inference.network import build_network
    from util.reports.tensor_table import format_table, save_csv
    from util.script import progress

    config = experiment.choose_config(args.model, None, args.root)
    with blaming(args.model):
        net = build_network(config, args.root)
    cases = [case for case in experiment.listed_cases(config, args.model, args.root) if case.hr_path]
    if not cases:
        raise UserError(f'{args.model}: dataset.test_list: no case has an HR volume to compare with')
    for case in cases:
        check_there(args.input / f'{case.name}.mhd', 'result of inference.py, which has to be run first')
    unsure = {case.name for case in cases if (args.input / f'{case.name}_deviation.mhd').exists()}
    if 0 < len(unsure) < len(cases):
        raise UserError(f'{args.input}: only {", ".join(sorted(unsure))} have a NAME_deviation.mhd; run inference.py '
                        'again')
    rows = {case.name: score(args.input, case, config, net.halo, case.name in unsure)
            for case in progress(cases, 'score_tensors', 'case')}
    save_csv(args.input / 'tensor_scores.csv', rows)
    print(f'{format_table(rows)}\nscores: {args.input / "tensor_scores.csv"}')


def score(folder, case, config, halo, unsure):
    """The scores of a case (`util.scores.tensor_scores`), of the network and of each interpolation.

    Args:
        folder (Path): The results of inference.py.
        case (~util.dataset.case_lists.Case): With an HR volume.
        config (~util.config.Config): The experiment.
        halo (int): How many LR voxels beyond its own place the network looks.
        unsure (bool): Whether NAME_deviation.mhd is scored as well.

    Returns:
        (dict, dict): {method: {metric: value}}, and {metric: value} of the deviation, empty if it is not scored.

    Raises:
        UserError: If a volume cannot be read, or is no volume of tensors of HR's shape.
    """
    import numpy
    from util.dataset.pairs import read_pair
    from util.scores.tensor_scores import deviation_scores, regions_of, tensor_scores
    from util.volumes.interpolation import METHODS, Upsampled
    from util.volumes.reading import read_volume
    from util.volumes.tensors import ELEMENTS

    lr, hr = (volume.array for volume in read_pair(case, config))
    names = [case.name, f'{case.name}_deviation'] if unsure else [case.name]
    mean, *deviation = (read_volume(folder / f'{name}.mhd', numpy.float32).array for name in names)
    with blaming(folder / f'{case.name}.mhd'):
        if len(hr) != len(ELEMENTS):
            raise UserError(f'{len(hr)} channels; tensors have {len(ELEMENTS)}, {", ".join(ELEMENTS)}')
        if any(array.shape != hr.shape for array in (mean, *deviation)):
            raise UserError(f'its shape is not that of {case.hr_path}, {hr.shape} (channels, z, y, x)')
    regions = regions_of(lr, hr, config.sampling, halo)
    images = {'network': mean, **{method: Upsampled(lr, config.sampling, method) for method in METHODS}}
    return (tensor_scores(hr, images, regions),
            deviation_scores(hr, mean, *deviation, regions) if deviation else {})


if __name__ == '__main__':
    run(main)
