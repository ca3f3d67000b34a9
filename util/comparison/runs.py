"""The runs of a comparison: what each recipe becomes on a dataset, and the scripts that do it, once each."""
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

from util.config import Config, check_values, lists_in
from util.config_files import load_config
from util.dataset.case_lists import in_list
from util.dataset.pairs_info import pairs_made_at, read_pairs_info
from util.files import read_text, write_text
from util.reports.score_table import columns_of, is_current
from util.scores.metrics import METRICS
from util.script import PROJECT, UserError
from util.volumes.degradation import DEGRADATIONS
from util.volumes.interpolation import METHODS
from util.volumes.writing import data_file
from util.yaml_text import MOST_BYTES, load_yaml

_DATA = 'comparison.yml'


class Run(NamedTuple):
    """One training of one recipe."""
    recipe: str     # the recipe's file name without .yml
    config: Config  # as it is run: degradation, seed, iterations and lists put in
    noise_seed: int  # the recipe's own seed, which draws the noise: all seeds of training see the same pairs
    folder: Path    # holds experiment.yml, training/, inference/ and, if asked for, inference_ensemble/
    pairs: Path     # holds LR/, HR/ and lists/; shared by all runs of one rate and degradation


def plan_runs(recipes, out, degradations=None, seeds=None, iterations=None, changes=()):
    """What there is to run.

    Args:
        recipes (list of Path): The configs.
        out (Path): Folder of the comparison.
        degradations (list of str): Names that replace the recipes' own, one run each; None keeps theirs.
        seeds (list of int): Numbers that replace the recipes' own, one run each; None keeps theirs.
        iterations (int): Number that replaces the recipes' own; the decay of the learning rate and the end of
            mirroring are moved in proportion.
        changes (list of str): ``KEY=VALUE``, laid over each recipe.

    Returns:
        list of Run: By recipe, degradation and seed.

    Raises:
        UserError: If a recipe cannot be read or begins with a model, two have one name, a degradation is unknown, a
            degradation or a seed is there twice, or paths below `out` cannot stand in a case list.
    """
    names = [path.stem for path in recipes]
    if len(set(names)) < len(names):
        raise UserError(f'two recipes of one name, and results are named after recipes: {", ".join(names)}')
    for option, values in (('--degradation', degradations or ()), ('--seeds', seeds or ())):
        if len(set(values)) < len(values):
            raise UserError(f'{option} {" ".join(map(str, values))}: one of these is there twice, and its run would '
                            'count as two; name each once')
    for name in degradations or ():
        if name not in DEGRADATIONS:
            raise UserError(f'--degradation {name}: no such degradation; allowed: {", ".join(DEGRADATIONS)}')
    runs = []
    for path in recipes:
        recipe = load_config(path, changes)
        if recipe.models.generator.args.get('fixed_mean'):
            raise UserError(f'{path}: models.generator.args.fixed_mean: such a training begins with a model, which '
                            'training.py takes with -m and a comparison has not; leave this recipe out')
        for degradation in degradations or [recipe.degradation.name]:
            made = changed(recipe, {**_degraded(recipe, degradation), **_shortened(recipe, iterations)}, path)
            pairs = out / 'pairs' / _pairs_name(made)
            lists = lists_in(in_list(pairs / 'lists', PROJECT, f'-o {out}'))
            for seed in seeds or [recipe.seed]:
                name = '-'.join([path.stem, *[degradation] * bool(degradations), *[f'seed{seed}'] * bool(seeds)])
                runs.append(Run(path.stem, changed(made, {'seed': seed, 'dataset': lists}, path), recipe.seed,
                                out / name, pairs))
    return runs


def _degraded(recipe, name):
    """The keys that give a recipe another degradation; its noise stays."""
    if name == recipe.degradation.name:
        return {}
    return {'degradation': {'name': name, 'noise_sigma': recipe.degradation.noise_sigma}}


def _shortened(recipe, iterations):
    """The keys that give a recipe another number of iterations, and its schedule the same shape."""
    if not iterations:
        return {}
    keys = {'iteration_decay_start': recipe.iteration_decay_start, 'flip_until': recipe.flip_until}
    return {'iteration': iterations, **{key: value * iterations // recipe.iteration
                                        for key, value in keys.items() if value is not None}}


def changed(config, changes, source):
    """A config with some top-level keys replaced, checked like one from a file."""
    return check_values({**config.model_dump(mode='json'), **changes}, source)


def _pairs_name(config):
    degradation = config.degradation
    parts = ['x'.join(map(str, config.upsampling_rate)), degradation.name]
    parts += [f'{key}{value:g}' for key, value in degradation.settings.items()]
    if degradation.noise_sigma:
        parts.append(f'noise{degradation.noise_sigma:g}-seed{config.seed}')
    return '-'.join(parts)


def states_of(folder):
    """What tells the cleaned volumes of a folder from others that take their place, or change, under the same names.

    Returns:
        dict: Case -> [size in bytes, time of change in ns] of its header, and the two of its voxels, if they lie in
        another file, after them.
    """
    return {header.stem: [number for path in (header, data_file(header)) if path
                          for number in (path.stat().st_size, path.stat().st_mtime_ns)]
            for header in sorted(folder.glob('*.mhd'))}


def check_same_data(out, data, states):
    """Refuse to go on with a comparison of other volumes or another split, whose results would stand beside these.

    Args:
        out (Path): Folder of the comparison.
        data (dict): What it is made on; :func:`keep_data` keeps that of the earlier one.
        states (dict): Of the volumes, as of :func:`states_of`; comparisons of before they were kept pass.

    Raises:
        UserError: Naming what differs.
    """
    path = out / _DATA
    if path.exists():
        earlier = load_yaml(read_text(path, MOST_BYTES), path)
        if not isinstance(earlier, dict) or not isinstance(earlier.get('volumes', {}), dict):
            raise UserError(f'{path}: damaged; name another folder with -o, or remove {out}')
        for key, value in data.items():
            if earlier.get(key) != value:
                raise UserError(f'{out} holds a comparison with {key} {earlier.get(key)}, this one has {value}; name '
                                'another folder with -o, or remove that one')
        former = earlier.get('volumes', states)
        other = [str(case) for case in {**former, **states} if former.get(case) != states.get(case)]
        if other:
            raise UserError(f'{out} holds a comparison of volumes that are others now, or were written since: '
                            f'{", ".join(other)}; name another folder with -o, or remove that one')


def keep_data(out, data, states):
    """Keep what a comparison is made on, once its lists are there: a misspelt name must not hold its folder."""
    write_text(out / _DATA, yaml.safe_dump({**data, 'volumes': states}, sort_keys=False))


def make_pairs(run, volumes, split):
    """Make the run's LR-HR pairs, unless they are there, and its lists.

    Args:
        run (Run): The run.
        volumes (Path): Folder of the cleaned volumes.
        split (list of str): Arguments of make_lists.py, such as ``['--val', '0004', '--test', '0009']``.
    """
    info = read_pairs_info(run.pairs)
    states = states_of(volumes)
    made = info and info.get('complete') and info['cases'] == sorted(states)
    if not made or max(time for state in states.values() for time in state[1::2]) > pairs_made_at(run.pairs):
        config = run.pairs.with_name(f'{run.pairs.name}.yml')
        write_text(config, run.config.model_copy(update={'seed': run.noise_seed}).to_yaml())
        script('util/miscs/make_lr_img.py', '-c', config, '-i', volumes, '-o', run.pairs)
    script('util/miscs/make_lists.py', '-i', run.pairs, '-o', run.pairs / 'lists', *split)


def train(run, gpu, settings=None, started=None):
    """Train, or go on where an interrupted training stopped; nothing if it is done.

    Args:
        run (Run): The run.
        gpu (int): As -g of training.py.
        settings (dict), started: Of one beside others, as of :func:`script`.

    Returns:
        Path: The model file of the last iteration.

    Raises:
        UserError: If the folder holds a run of other settings, of other cases, or of older pairs.
    """
    out, experiment = run.folder / 'training', run.folder / 'experiment.yml'
    if out.exists() and experiment.exists():  # a training that was refused leaves no folder, and may be put right
        if load_config(experiment) != run.config:
            raise UserError(f'{run.folder} holds a run of other settings (experiment.yml there is not what '
                            f'{run.recipe} is now); remove that folder, or name another one with -o')
    else:
        write_text(experiment, run.config.to_yaml())
    archived = out / 'config.yml'
    if archived.exists() and archived.stat().st_mtime_ns < pairs_made_at(run.pairs):
        raise UserError(f'{run.folder} holds a run of older pairs (those in {run.pairs} were made anew since); remove '
                        'that folder, or name another one with -o')
    for key, path in run.config.dataset.model_dump().items():
        archived = out / f'{key}.txt'
        if archived.exists() and archived.read_bytes() != (PROJECT / path).read_bytes():
            raise UserError(f'{run.folder} holds a run of other cases ({archived} is not {path}); remove that folder, '
                            'or name another one with -o')
    model = out / f'gen_iter_{run.config.iteration}.npz'
    if not model.exists():
        script('training.py', '-g', gpu, '-c', experiment, '-o', out, *['--resume'] * out.exists(),
               **({} if started is None else {'settings': settings, 'started': started}))
    return model


def infer(run, model, cases, gpu, ensemble):
    """Super-resolve and score the test cases, unless that is done.

    Args:
        run (Run): The run.
        model (Path): Its model file.
        cases (list of ~util.dataset.case_lists.Case): The test cases.
        gpu (int): As -g of inference.py.
        ensemble (bool): As --ensemble of inference.py.

    Returns:
        Path: Folder of the results.
    """
    out = run.folder / ('inference_ensemble' if ensemble else 'inference')
    columns = columns_of(METRICS, ('network', *METHODS))
    sources = [model, *(path for case in cases for path in (case.lr_path, case.hr_path))]
    current = is_current(out / 'scores.csv', columns, [case.name for case in cases], sources)
    if not current or not all((out / f'{case.name}.mhd').exists() for case in cases):
        # the experiment beside the model, so that the network may lie where the recipe says
        script('inference.py', '-g', gpu, '-m', model, '-c', run.folder / 'experiment.yml', '-o', out,
               *['--ensemble'] * ensemble)
    return out


def script(name, *arguments, settings=None, started=None):
    """Run a script of the project in this interpreter.

    Args:
        settings (dict): Variables for its environment.
        started: Function that is given the process, if that is one beside others; its output is not shown then.

    Raises:
        UserError: If it ends with an exit code other than 0; it has said why by then.
    """
    words = [sys.executable, str(PROJECT / name), *map(str, arguments)]
    print('$', shlex.join(['python', name, *words[2:]]), flush=True)
    process = subprocess.Popen(words, env={**os.environ, **(settings or {})},
                               stdout=subprocess.DEVNULL if started else None)
    if started:
        started(process)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()  # a training writes a snapshot first
        raise
    if code:
        raise UserError(f'{name} ended with exit code {code}; what was done before it is kept: put right what it says, '
                        'and run this again to go on')
