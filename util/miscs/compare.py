"""Compare recipes on a cleaned dataset: make pairs, train, infer, and write a table and a figure.

    python util/miscs/compare.py configs/base.yml configs/x4_best.yml --val 0003 --test 0009 0010 --iterations 2500

What is done already is skipped, and an interrupted training goes on: after Ctrl-C give the same command again.
"""
import argparse
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.script import PROJECT, UserError, a_path, check_jobs, check_there, run as run_main


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError('1 or more is wanted')
    return number


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Compare recipes on a cleaned dataset: pairs, training and inference of each, skipping what is '
                    'done; then comparison.md, comparison.csv and comparison.png.')
    parser.add_argument('recipes', type=a_path, nargs='+', help='configs; their case lists are replaced by this split')
    parser.add_argument('-i', '--input', type=a_path, default=PROJECT / 'data/interim',
                        help='folder with the cleaned volumes (default: data/interim in the project)')
    parser.add_argument('-o', '--out', type=a_path, default=PROJECT / 'results/comparison',
                        help='folder of the comparison, pairs included (default: results/comparison in the project)')
    parser.add_argument('--train', nargs='+', metavar='CASE', help='names, or how many (default: the rest)')
    parser.add_argument('--val', nargs='+', metavar='CASE', required=True, help='names, or how many')
    parser.add_argument('--test', nargs='+', metavar='CASE', required=True, help='names, or how many')
    parser.add_argument('--degradation', nargs='+', metavar='NAME',
                        help="run each recipe on each of these LR kinds, named as a config's degradation, instead of "
                             "the recipe's own")
    parser.add_argument('--seeds', nargs='+', type=int, help="train each recipe once per seed, instead of with its own")
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        help='change a key of all recipes, such as adam.alpha=1e-3; may be repeated')
    parser.add_argument('--iterations', type=positive, help='train all recipes for as many iterations')
    parser.add_argument('--ensemble', action='store_true', help='also infer with the mean over mirrorings')
    parser.add_argument('--jobs', type=positive, default=1, metavar='N',
                        help='train N recipes at a time, each on its share of the cores (default: 1)')
    parser.add_argument('-g', '--gpu', type=int, default=-1, help='CUDA GPU number; negative: CPU (default)')
    return parser.parse_args(argv)


def prepare(args):
    """Plan the runs and make their pairs; returns the runs."""
    # Imported here and below: neither --help nor a wrong argument waits for them.
    from util.comparison.runs import check_same_data, keep_data, make_pairs, plan_runs, states_of

    runs = plan_runs(args.recipes, args.out, args.degradation, args.seeds, args.iterations, args.set)
    if not any(args.input.glob('*.mhd')):
        raise UserError(f'{args.input}: no .mhd volumes there; make them with: python util/miscs/clean_data.py')
    split = {'train': args.train, 'val': args.val, 'test': args.test}
    data, states = {'input': str(args.input.resolve()), **split}, states_of(args.input)
    check_same_data(args.out, data, states)
    words = [word for key, names in split.items() if names for word in (f'--{key}', *names)]
    for run in {run.pairs: run for run in runs}.values():
        make_pairs(run, args.input, words)
    keep_data(args.out, data, states)
    return runs


def evaluate(run, args):
    """Train one run, infer and measure; returns its Results."""
    from util.comparison.error_analysis import analyse_errors
    from util.comparison.results import Result, lr_name
    from util.comparison.runs import infer, train
    from util.dataset.case_lists import read_list
    from util.reports.score_table import read_csv

    model, results = train(run, args.gpu), []
    cases = read_list(PROJECT / run.config.dataset.test_list, PROJECT)
    for ensemble in (False, True) if args.ensemble else (False,):
        out = infer(run, model, cases, args.gpu, ensemble)
        scores, errors = read_csv(out / 'scores.csv'), analyse_errors(out, cases, run.config)
        results.append(Result(run.recipe, lr_name(run.config), run.config.seed, ensemble,
                              {case: {**scores[case], **errors[case]} for case in scores}))
    return results


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    for recipe in args.recipes:
        check_there(recipe, 'config')
    check_jobs(args.jobs, args.gpu)
    from util.comparison.side_by_side import check_cores, train_all

    check_cores(args.jobs)
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the script that runs, as Ctrl-C does
    try:
        runs, results = prepare(args), []
        if args.jobs > 1:
            train_all(runs, args.jobs)
        for number, run in enumerate(runs, 1):
            print(f'== {number} of {len(runs)}: {run.folder.name}', flush=True)
            results += evaluate(run, args)
    finally:
        signal.signal(signal.SIGTERM, former)
    report(results, args.out)


def report(results, out):
    """Write the tables and the figure of a comparison, and print the tables."""
    from util.comparison.results import gains, rows_of, save_results
    from util.comparison.tables import format_markdown
    from util.files import write_text
    from util.reports.figures import save_gain_figure
    from util.scores.metrics import REGIONS

    save_results(out / 'comparison.csv', results)
    markdown = format_markdown(results)
    write_text(out / 'comparison.md', markdown)
    save_gain_figure(out / 'comparison.png', {
        f'{row.name}, {row.lr}': {name: gains(row.scores, 'psnr', region) for region, name in REGIONS.items()}
        for row in rows_of(results)})
    print(markdown)
    print('\n'.join(f'{out / "comparison"}{suffix}' for suffix in ('.md', '.csv', '.png')))


if __name__ == '__main__':
    run_main(main)
