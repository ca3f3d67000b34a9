"""Super-resolve LR volumes with a trained network, and score them where the HR volume is known.

    python inference.py -g 0 -m results/training/gen_iter_100000.npz
"""
import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy
from tqdm import tqdm

from util.config_files import load_config, read_experiment
from util.dataset.case_lists import Case, read_list
from util.dataset.case_names import distinct_names
from util.dataset.pairs import read_pair
from util.dataset.pairs_info import read_pairs_info
from util.device import get_device
from util.inference.model_file import load_network, read_lie
from util.inference.network import build_network, check_code_of_model
from util.inference.super_resolution import super_resolve
from util.lock import locked
from util.script import PROJECT, UserError, blaming, note, run
from util.volumes import writing
from util.volumes.intensity import like_input
from util.volumes.interpolation import METHODS, upsample
from util.volumes.orientation import AS_IT_IS, inverse, lay, layout_as, unlike_training
from util.volumes.reading import read_volume

# What the network was trained for: a model file's own values hold, and a config that says otherwise is refused.
TRAINED_FOR = ('upsampling_rate', 'degradation', 'models', 'intensity_scaling')


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description='Super-resolve LR volumes; score them where the HR volume is known.')
    parser.add_argument('-m', '--model', type=Path, required=True, help='model file (gen_iter_N.npz)')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    parser.add_argument('-c', '--config_path', type=Path,
                        help='the experiment (default: the one in the model file; a bare file, such as the '
                             "reference's, has none: configs/base.yml)")
    parser.add_argument('-o', '--out', type=Path, default=PROJECT / 'results/inference',
                        help='folder of the results (default: results/inference)')
    parser.add_argument('-i', '--input', type=Path, nargs='+', metavar='LR',
                        help="LR volumes to super-resolve, instead of the config's test list")
    parser.add_argument('--ensemble', action='store_true',
                        help='mean over the eight mirrorings of each volume: a little better, eight times the time')
    parser.add_argument('--like-input', action='store_true',
                        help="write, and score, volumes in the LR volume's range, rounded if that is of an integer type"
                             ' (default: float32, as the network gives them)')
    parser.add_argument('-R', '--root', type=Path, default=PROJECT,
                        help="folder that the config's and the list's relative paths start from (default: the project)")
    return parser.parse_args(argv)


def choose_config(model, config_path, root):
    """The experiment that a model file is used by: its own, or the user's where that is the same in what matters."""
    trained = read_experiment(model)
    if config_path is None and trained is not None:
        check_code_of_model(trained, model, root)
        return trained
    config = load_config(config_path or PROJECT / 'configs/base.yml')
    for key in TRAINED_FOR if trained is not None else ():
        if getattr(config, key) != getattr(trained, key):
            raise UserError(f'{config_path}: {key} is not what {model} was trained for: {getattr(config, key)} against '
                            f'{getattr(trained, key)}; leave -c out to use the model\'s own config')
    return config


def choose_cases(args, config):
    """The cases to super-resolve: the volumes of the command line, without HR, or the test list's."""
    if args.input:
        if len({path.resolve() for path in args.input}) < len(args.input):
            raise UserError(f'-i names a volume twice: {" ".join(map(str, args.input))}')
        cases = [Case(name, path, None) for name, path in zip(distinct_names(args.input), args.input)]
    else:
        with blaming(f'{args.config_path or args.model}: dataset.test_list'):
            cases = read_list(args.root / config.dataset.test_list, args.root)
    names = {case.name for case in cases}
    for name in names:
        if f'{name}_deviation' in names:
            raise UserError(f'{name}_deviation would be the name of two results; call that volume otherwise')
    if args.out.name in ('LR', 'HR') and read_pairs_info(args.out.parent):
        raise UserError(f'{args.out} holds the volumes of LR-HR pairs; name another folder with -o')
    inputs = {path.resolve() for case in cases for path in (case.lr_path, case.hr_path) if path}
    for case in cases:
        if (args.out / f'{case.name}.mhd').resolve() in inputs:
            raise UserError(f'{args.out / case.name}.mhd is a volume to be read, and the result would replace it; name '
                            'another folder with -o')
    return cases


def super_resolve_case(case, lr, net, config, args, lie):
    """Super-resolve a case, laid as the training's volumes, and write its volumes.

    Returns:
        numpy.ndarray: The HR volume that was written, (C, z, y, x).
    """
    # Where the HR volume is known its grid is given, and that of a reversed axis may be another one (docs/geometry.md).
    layout = layout_as(lr, lie) if lie and case.hr_path is None else AS_IT_IS
    laid = lay(lr, layout)
    for line in unlike_training(lr, layout, lie, net.sampling.rate, case.hr_path is not None):
        note(f'{case.lr_path}: {line}')
    with blaming(case.lr_path):
        mean, deviation = super_resolve(net, laid, config.intensity_scaling, args.ensemble)
    mean = lay(mean, inverse(layout))
    if args.like_input:
        mean = replace(mean, array=like_input(mean.array, read_volume(case.lr_path).array))
    writing.write_volume(args.out / f'{case.name}.mhd', mean)
    if deviation is not None:
        writing.write_volume(args.out / f'{case.name}_deviation.mhd', lay(deviation, inverse(layout)))
    return mean.array


def score_case(case, lr, sr, hr, sampling, out):
    """Score a case beside the interpolations of its LR volume, and save its picture.

    Returns:
        (dict, list): method -> {metric: value}, empty where it cannot be scored; and what could not be done.
    """
    # Here, since a scan without a truth does without them: 60 MiB of libraries.
    from util.reports.figures import save_case_figure
    from util.scores.metrics import score_images
    scored, failures = {}, []

    def images():
        yield 'network', sr
        for method in METHODS:
            yield method, upsample(lr.array, sampling, method)

    # A picture or a score that cannot be had never costs the other results.
    try:
        save_case_figure(out / f'{case.name}.png', case.name, lr.array, upsample(lr.array, sampling, 'linear'), sr,
                         hr.array, hr.spacing, sampling)
    except Exception as error:
        failures.append(f'{case.name}: no picture: {type(error).__name__}: {error}')
    try:
        scored = score_images(hr.array, images())
    except Exception as error:
        failures.append(f'{case.name}: no scores: {type(error).__name__}: {error}')
    return scored, failures


def main(argv=None):
    """Run the script with a command line (default: the process's); returns the exit code."""
    args = parse_arguments(argv)
    config = choose_config(args.model, args.config_path, args.root)
    device = get_device(args.gpu)
    net = build_network(config, args.root)
    load_network(args.model, net)
    net.to_device(device)
    cases, lie = choose_cases(args, config), read_lie(args.model)
    with locked(args.out):
        writing.remove_strays(args.out)
        rows, failures, done = {}, [], 0
        for case in tqdm(cases, desc='inference', unit='case', disable=None):
            try:
                lr, hr = read_pair(case, config) if case.hr_path else (read_volume(case.lr_path, numpy.float32), None)
                sr = super_resolve_case(case, lr, net, config, args, lie)
            except (UserError, OSError, MemoryError) as error:  # the other cases are done all the same
                failures.append(str(error) if isinstance(error, UserError) else f'{case.name}: {error!r}')
                continue
            done += 1
            forget_scores(args.out, case, rows)
            if hr is not None:
                from util.reports import score_table
                scored, failed = score_case(case, lr, sr, hr, net.sampling, args.out)
                failures += failed
                if scored:
                    rows[case.name] = scored
                    score_table.save_csv(args.out / 'scores.csv', rows)  # each time: an interruption loses none
        return report(args.out, rows, failures, done, len(cases))


def forget_scores(out, case, rows):
    """Remove the picture and the scores that tell of the volume which a new one has just replaced."""
    (out / f'{case.name}.png').unlink(missing_ok=True)
    scores = out / 'scores.csv'
    if not rows and scores.is_file() and f'\n{case.name},' in scores.read_text(encoding='utf-8', errors='replace'):
        scores.unlink()


def report(out, rows, failures, done, count):
    """Print the scores, and say what could not be done; returns the exit code."""
    if rows:
        from util.reports.score_table import format_table
        print(format_table(rows))
        print(f'scores: {out / "scores.csv"}\npictures: {out}/*.png')
    if done:
        print(f'volumes: {out}/*.mhd')
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    if not failures:
        return 0
    if done:
        print(f'{done} of {count} volumes are done', file=sys.stderr)
    return 1 if done else 2


if __name__ == '__main__':
    run(main)
