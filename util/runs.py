"""The runs of a comparison: what each recipe becomes on a dataset, and the scripts that do it, once each."""
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

from util.case_lists import relative_below
from util.config import Config, dump_config, load_config, parse_config
from util.files import write_text
from util.pairs import read_pairs_info
from util.script import PROJECT, UserError


class Run(NamedTuple):
    """One training of one recipe."""
    recipe: str     # the recipe's file name without .yml
    config: Config  # as it is run: degradation, seed, iterations and lists put in
    folder: Path    # holds experiment.yml, training/, inference/ and, if asked for, inference_ensemble/
    pairs: Path     # holds LR/, HR/ and lists/; shared by all runs of one rate and degradation


def plan_runs(recipes, out, degradations=None, seeds=None, iterations=None):
    """What there is to run.

    Args:
        recipes: paths of the configs.
        out: folder of the comparison.
        degradations: names that replace the recipes' own, a run each; None keeps theirs.
        seeds: numbers that replace the recipes' own, a run each; None keeps theirs.
        iterations: number that replaces the recipes' own; the decay of the learning rate and the end of
            mirroring are moved in proportion.

    Returns:
        list of Run, by recipe, degradation and seed.

    Raises:
        UserError: if a recipe cannot be read, or two have one name.
    """
    names = [path.stem for path in recipes]
    if len(set(names)) < len(names):
        raise UserError(f'two recipes of one name, and results are named after recipes: {", ".join(names)}')
    runs = []
    for path in recipes:
        recipe = load_config(path)
        for degradation in degradations or [recipe.degradation.name]:
            pairs = out / 'pairs' / _pairs_name(recipe, degradation)
            for seed in seeds or [recipe.seed]:
                name = '-'.join([path.stem, *[degradation] * bool(degradations), *[f'seed{seed}'] * bool(seeds)])
                changes = {'seed': seed, 'degradation': {**recipe.degradation.model_dump(), 'name': degradation},
                           'dataset': {f'{kind}_list': relative_below(pairs / f'lists/{kind}_list.txt', PROJECT)
                                       for kind in ('training', 'val', 'test')}}
                if iterations:
                    start = recipe.iteration_decay_start * iterations // recipe.iteration
                    changes |= {'iteration': iterations, 'iteration_decay_start': start}
                    if recipe.flip_until is not None:
                        changes['flip_until'] = recipe.flip_until * iterations // recipe.iteration
                runs.append(Run(path.stem, changed(recipe, changes, path), out / name, pairs))
    return runs


def changed(config, changes, source):
    """A config with some top-level keys replaced, checked like one from a file."""
    return parse_config(yaml.safe_dump({**config.model_dump(mode='json'), **changes}), source)


def _pairs_name(recipe, degradation):
    settings = recipe.degradation
    parts = ['x'.join(map(str, recipe.upsampling_rate)), degradation]
    if degradation == 'gaussian':
        parts.append(f'fwhm{settings.fwhm:g}')
    if settings.noise_sigma:
        parts.append(f'noise{settings.noise_sigma:g}-seed{recipe.seed}')
    return '-'.join(parts)


def check_same_data(out, data):
    """Refuse to go on with a comparison of other volumes or another split, whose results would stand beside these.

    Args:
        out: folder of the comparison.
        data: dict of what it is made on, kept there as comparison.yml.

    Raises:
        UserError: naming what differs.
    """
    path = out / 'comparison.yml'
    if path.exists():
        earlier = yaml.safe_load(path.read_text(encoding='utf-8'))
        for key, value in data.items():
            if earlier.get(key) != value:
                raise UserError(f'{out} holds a comparison with {key} {earlier.get(key)}, this one has {value}; name '
                                'another folder with -o, or remove that one')
    write_text(path, yaml.safe_dump(data, sort_keys=False))


def make_pairs(run, recipe_path, volumes, split):
    """Make the run's LR-HR pairs, unless they are there, and its lists.

    Args:
        run: Run.
        recipe_path: config of the recipe; its seed draws the noise, so that all seeds of training see the same pairs.
        volumes: folder of the cleaned volumes.
        split: arguments of make_lists.py, such as ['--val', '0004', '--test', '0009'].
    """
    info = read_pairs_info(run.pairs)
    cases = sorted(path.stem for path in volumes.glob('*.mhd'))
    if not (info and info.get('complete') and info['cases'] == cases):
        config = run.pairs.with_suffix('.yml')
        seed = load_config(recipe_path).seed
        write_text(config, dump_config(run.config.model_copy(update={'seed': seed})))
        script('util/miscs/make_lr_img.py', '-c', config, '-i', volumes, '-o', run.pairs)
    script('util/miscs/make_lists.py', '-i', run.pairs, '-o', run.pairs / 'lists', *split)


def train(run, gpu):
    """Train, or go on where an interrupted training stopped; nothing if it is done.

    Returns:
        Path: the model file of the last iteration.

    Raises:
        UserError: if the folder holds a run of other settings.
    """
    out, experiment = run.folder / 'training', run.folder / 'experiment.yml'
    if experiment.exists():
        if load_config(experiment) != run.config:
            raise UserError(f'{run.folder} holds a run of other settings (experiment.yml there is not what '
                            f'{run.recipe} is now); remove that folder, or name another one with -o')
    else:
        write_text(experiment, dump_config(run.config))
    model = out / f'gen_iter_{run.config.iteration}.npz'
    if not model.exists():
        snapshots = sorted(out.glob('snapshot_iter_*.npz'), key=lambda path: int(path.stem.split('_')[-1]))
        if out.exists() and not snapshots:
            shutil.rmtree(out)  # stopped before its first snapshot: nothing to go on from
        resume = ['--resume', snapshots[-1]] if snapshots else []
        script('training.py', '-g', gpu, '-c', experiment, '-o', out, *resume)
    return model


def infer(run, model, gpu, ensemble):
    """Super-resolve and score the test cases, unless that is done.

    Returns:
        Path: folder of the results.
    """
    out = run.folder / ('inference_ensemble' if ensemble else 'inference')
    if not (out / 'scores.csv').exists():
        script('inference.py', '-g', gpu, '-m', model, '-o', out, *['--ensemble'] * ensemble)
    return out


def script(name, *arguments):
    """Run a script of the project in this interpreter.

    Raises:
        UserError: if it ends with an exit code other than 0; it has said why by then.
    """
    words = [sys.executable, str(PROJECT / name), *map(str, arguments)]
    print('$', ' '.join(['python', name, *words[2:]]), flush=True)
    process = subprocess.Popen(words)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()  # a training writes a snapshot first
        raise
    if code:
        raise UserError(f'{name} ended with exit code {code}; what was done before it is kept, run this again to go on')
