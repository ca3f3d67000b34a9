"""One config extends another, the command line changes keys, and what results is one whole experiment."""
import os
import re

import pytest
import yaml
from hypothesis import given, settings, strategies

from util.config import Degradation, Loss, Schedule
from util.config_files import MOST_EXTENDED, load_config, parse_config
from util.script import PROJECT, UserError

BASE = PROJECT / 'configs/base.yml'


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def refusal(path, changes=()):
    with pytest.raises(UserError) as caught:
        load_config(path, changes)
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('path', sorted((PROJECT / 'configs').rglob('*.yml')), ids=lambda path: path.name)
def test_every_shipped_config_loads_and_survives_being_written_whole(path):
    config = load_config(path)
    assert parse_config(config.to_yaml(), 'copy') == config
    assert 'extends' not in config.to_yaml()


@pytest.mark.parametrize('path', sorted((PROJECT / 'configs/ablation').glob('*.yml')), ids=lambda path: path.name)
def test_an_ablation_changes_one_thing_of_the_recipe(path):
    of = 'x4_best.yml' if path.stem == 'mirrored_throughout' else 'ablation/mirrored_throughout.yml'
    recipe, ablation = load_config(PROJECT / 'configs' / of).model_dump(), load_config(path).model_dump()
    assert sum(ablation[key] != recipe[key] for key in recipe) == 1


def test_a_config_says_only_what_differs_from_the_one_it_extends(tmp_path):
    """Relative to the file; mappings are merged key by key, everything else is replaced."""
    write(tmp_path / 'base.yml', BASE.read_text())
    path = write(tmp_path / 'mine/mine.yml', 'extends: ../base.yml\nadam: {alpha: 1.0}\npatchside: [8, 16, 4]\n'
                 'models: {generator: {args: {residual: linear}}}\n')
    config, base = load_config(path), load_config(BASE)
    assert (config.adam.alpha, config.adam.beta2, config.patchside) == (1.0, base.adam.beta2, (8, 16, 4))
    assert config.models.generator.args == {**base.models.generator.args, 'residual': 'linear'}
    assert config.model_copy(update={'adam': base.adam, 'patchside': base.patchside, 'models': base.models}) == base


def test_a_mapping_that_says_another_name_starts_anew(tmp_path):
    """The settings of the one are not those of the other."""
    base = write(tmp_path / 'base.yml', BASE.read_text().replace('name: bspline', 'name: gaussian\n  fwhm: 2.0\n'
                                                                 '  noise_sigma: 3.0'))
    same = write(tmp_path / 'same.yml', f'extends: {base}\ndegradation: {{name: gaussian, noise_sigma: 1.0}}\n')
    other = write(tmp_path / 'other.yml', f'extends: {base}\ndegradation: {{name: kspace}}\n')
    network = write(tmp_path / 'network.yml', f'extends: {base}\nmodels: {{generator: {{fn: a.py, name: A}}}}\n')
    assert (load_config(same).degradation.settings, load_config(same).degradation.noise_sigma) == ({'fwhm': 2.0}, 1.0)
    assert load_config(other).degradation.noise_sigma == 0
    assert load_config(network).models.generator.args == {}


def test_a_setting_can_be_laid_over_the_short_form_of_its_choice():
    config = load_config(PROJECT / 'configs/ablation/charbonnier.yml', ['loss.epsilon=0.5'])
    assert (config.loss.name, config.loss.settings) == ('charbonnier', {'epsilon': 0.5})


def test_a_folder_stands_for_the_three_lists_in_it(tmp_path):
    lists = {f'{which}_list': f'data/lists/{which}_list.txt' for which in ('training', 'val', 'test')}
    path = write(tmp_path / 'mine.yml', f'extends: {BASE}\ndataset: data/lists\n')
    other = write(tmp_path / 'other.yml', f'extends: {path}\ndataset: {{val_list: other.txt}}\n')
    text = re.sub(r'(?m)^dataset:.*\n(  .*\n)*', 'dataset: data/lists\n', BASE.read_text())
    alone = write(tmp_path / 'alone.yml', text)
    for config in (load_config(path), load_config(BASE, ['dataset=data/lists']), load_config(alone)):
        assert config.dataset.model_dump() == lists
    assert load_config(other).dataset.model_dump() == {**lists, 'val_list': 'other.txt'}
    assert 'this key is changed twice' in refusal(BASE, ['dataset=a', 'dataset.val_list=b'])
    for wrong in ('[a, b]', '""', '2024'):
        assert 'dataset: a folder with the three lists is wanted' in refusal(BASE, [f'dataset={wrong}'])


def test_what_is_drawn_can_be_switched_off_where_a_config_extends_one_that_draws(tmp_path):
    path = write(tmp_path / 'mine.yml', f'extends: {PROJECT}/configs/thick_slices_clinic.yml\ndrawn: null\n')
    assert load_config(path).drawn == load_config(BASE).drawn
    assert load_config(PROJECT / 'configs/x4_deep_robust.yml', ['drawn=null']).drawn == load_config(BASE).drawn
    assert not load_config(path).drawn.anything


def test_a_network_s_argument_that_is_called_as_a_choice_stays_what_it_is(tmp_path):
    args = '{loss: mse, dataset: a}'
    path = write(tmp_path / 'mine.yml', f'extends: {BASE}\nmodels: {{generator: {{args: {args}}}}}\n')
    own = {**load_config(BASE).models.generator.args, 'loss': 'mse', 'dataset': 'a'}
    assert load_config(path).models.generator.args == own
    changed = load_config(path, ['models.generator.args.loss=l1', 'models.generator.args.schedule=x'])
    assert changed.models.generator.args == {**own, 'loss': 'l1', 'schedule': 'x'}


def test_the_order_of_changes_has_no_say():
    both = ['degradation.name=gaussian', 'degradation.fwhm=2', 'degradation.noise_sigma=5']
    assert load_config(BASE, both) == load_config(BASE, both[::-1])
    assert load_config(BASE, both).degradation.settings == {'fwhm': 2.0}
    loss = ['loss.epsilon=0.5', 'loss=charbonnier']
    assert load_config(BASE, loss) == load_config(BASE, loss[::-1])
    assert 'this key is changed twice' in refusal(BASE, ['seed=1', 'seed=2'])


@pytest.mark.parametrize('below, above', [('{noise_sigma: 5}', '{name: bspline}'),
                                          ('{name: bspline, noise_sigma: 5}', 'bspline')])
def test_the_same_name_starts_nothing_anew(tmp_path, below, above):
    base = write(tmp_path / 'base.yml', BASE.read_text().replace('degradation:', f'degradation: {below}\n#', 1)
                 .replace('  name: bspline', '#'))
    path = write(tmp_path / 'mine.yml', f'extends: {base}\ndegradation: {above}\n')
    assert load_config(path).degradation.noise_sigma == 5


def test_arguments_of_a_network_that_are_called_name_are_arguments_like_others(tmp_path):
    path = write(tmp_path / 'mine.yml', f'extends: {BASE}\nmodels: {{generator: {{args: {{act: relu, name: a}}}}}}\n')
    args = '{act: {x: 1}, name: b}'
    path = write(tmp_path / 'more.yml', f'extends: {path}\nmodels: {{generator: {{args: {args}}}}}\n')
    assert load_config(path).models.generator.args == {
        **load_config(BASE).models.generator.args, 'act': {'x': 1}, 'name': 'b'}


def test_links_in_a_circle_and_paths_that_no_file_has_are_one_line(tmp_path):
    (tmp_path / 'loop.yml').symlink_to(tmp_path / 'loop.yml')
    assert 'loop.yml: cannot read this config' in refusal(tmp_path / 'loop.yml')
    assert 'a character that no text has' in refusal(write(tmp_path / 'a.yml', 'extends: "b\\0"\n'))
    assert 'cannot read this config' in refusal(tmp_path / 'a\0.yml')
    assert 'cannot read this config' in refusal(write(tmp_path / 'b.yml', 'extends: .\n'))


def test_a_circle_is_refused(tmp_path):
    a = write(tmp_path / 'a.yml', 'extends: b.yml\n')
    write(tmp_path / 'b.yml', 'extends: ./a.yml\n')
    assert 'goes round in a circle' in refusal(a)
    assert 'goes round in a circle' in refusal(write(tmp_path / 'self.yml', 'extends: self.yml\n'))


def test_a_long_chain_is_refused(tmp_path):
    path = write(tmp_path / '0.yml', BASE.read_text())
    for number in range(1, MOST_EXTENDED + 1):
        above = write(tmp_path / f'{number}.yml', f'extends: {path.name}\n')
        if number < MOST_EXTENDED:
            assert load_config(above) == load_config(BASE)
        path = above
    assert f'a chain of more than {MOST_EXTENDED} files' in refusal(path)


@pytest.mark.parametrize('text, words', [
    ('extends: none.yml', 'mine.yml: extends: {folder}/none.yml: cannot read this config: No such file'),
    ('extends: [base.yml]', "mine.yml: extends: the path of one config is wanted; found ['base.yml']"),
    ('extends: broken.yml', 'broken.yml: not valid YAML'),
    ('extends: base.yml\nsead: 1', 'mine.yml: sead: unknown key'),
])
def test_a_fault_names_its_file(tmp_path, text, words):
    write(tmp_path / 'base.yml', BASE.read_text())
    write(tmp_path / 'broken.yml', '{[')
    assert words.format(folder=tmp_path) in refusal(write(tmp_path / 'mine.yml', text))


def test_a_model_file_s_experiment_extends_nothing():
    """It stands by itself, and never leads to another file."""
    with pytest.raises(UserError, match='extends: unknown key'):
        parse_config(f'extends: {BASE}\n', 'gen.npz')


def test_the_command_line_changes_keys():
    changes = ['adam.alpha=1e-3', 'patchside=[8,16,4]', 'flip_until=null', 'loss=l1',
               'models.generator.args.residual=linear', 'degradation.name=gaussian', 'degradation.fwhm=2']
    config, base = load_config(BASE, changes), load_config(BASE)
    assert (config.adam.alpha, config.adam.beta1, config.patchside) == (1e-3, base.adam.beta1, (8, 16, 4))
    assert config.loss.name == 'l1' and config.models.generator.args['residual'] == 'linear'
    assert config.degradation.settings == {'fwhm': 2.0}
    assert yaml.safe_load(config.to_yaml())['adam']['alpha'] == 1e-3  # what is archived is what ran


@pytest.mark.parametrize('change, words', [
    ('adam.alfa=1', f'{BASE} --set adam.alfa=1: adam.alfa: unknown key'),
    ('batchsize=0', f'{BASE} --set batchsize=0: batchsize: Input should be greater than 0; found 0'),
    ('seed', '--set seed: KEY=VALUE is wanted'),
    ('=1', '--set =1: KEY=VALUE is wanted'),
    ('adam..alpha=1', 'KEY=VALUE is wanted'),
    ('extends=base.yml', '--set extends=base.yml: what a config extends stands in its file; write it there'),
    ('seed=[1', '--set seed=[1: not valid YAML'),
    ('adam=1', 'adam: a mapping of keys to values is wanted; found 1'),
])
def test_a_change_is_checked_like_the_file(change, words):
    assert words in refusal(BASE, [change])


@pytest.mark.parametrize('change', [
    '.'.join('a' * 1000) + '=1', 'seed=' + '[' * 1000, 'seed=!!int foo', 'seed=0x' + 'f' * 99, 'seed=&x [*x]',
    'models.generator.args={a: 1, a: 2}', 'dataset.val_list="\\0"'])
def test_a_hostile_change_is_one_line(change):
    assert refusal(BASE, [change]).startswith('--set ')


@pytest.mark.parametrize('name, words', [
    ('folder', 'folder: cannot read this config: Is a directory'),
    ('round', 'round: cannot read this config: Too many levels of symbolic links'),
    ('base.yml/below', 'base.yml/below: cannot read this config: Not a directory'),
    ('x' * 300, 'cannot read this config: File name too long'),
    ('large', 'large: larger than the 1000000 bytes'),
    ('binary', 'binary: not a UTF-8 text file'),
    ('nul', 'nul: not a text file: it holds NUL bytes')])
@pytest.mark.parametrize('extended', [False, True])
def test_what_is_no_config_file_is_one_line(tmp_path, name, words, extended):
    write(tmp_path / 'base.yml', BASE.read_text())
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'round').symlink_to(tmp_path / 'round')
    (tmp_path / 'large').write_bytes(b'#' * 1_000_001)
    (tmp_path / 'binary').write_bytes(os.urandom(1000) + b'\xff')
    (tmp_path / 'nul').write_bytes(b'a\0b')
    path = write(tmp_path / 'mine.yml', f'extends: {name}') if extended else tmp_path / name
    assert words in refusal(path)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / 'mark.yml').write_bytes(b'\xef\xbb\xbf' + BASE.read_bytes())
    assert load_config(tmp_path / 'mark.yml') == load_config(BASE)


def choices(of):
    return strategies.sampled_from(sorted(of.table)).map(lambda name: {'name': name})


WORDS = strategies.text(strategies.characters(codec='utf-8', exclude_characters='\0'))
NUMBERS = strategies.integers(1 - 2 ** 63, 2 ** 63 - 1) | strategies.floats(allow_nan=False, allow_infinity=False)
ARGUMENTS = strategies.dictionaries(WORDS.filter(lambda word: word != 'sampling'), strategies.recursive(
    WORDS | NUMBERS | strategies.booleans() | strategies.none(),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(WORDS, inner), max_leaves=5))
COUNTS = strategies.integers(1, 1000)
RATES = strategies.tuples(*[strategies.integers(1, 16)] * 3).filter(lambda rate: max(rate) > 1)
CHANGES = strategies.fixed_dictionaries({}, optional={
    'upsampling_rate': strategies.integers(2, 16) | RATES.map(list), 'patchside': COUNTS, 'batchsize': COUNTS,
    'degradation': choices(Degradation), 'loss': choices(Loss) | strategies.just('l1'), 'schedule': choices(Schedule),
    'dataset': strategies.fixed_dictionaries(dict.fromkeys(('training_list', 'val_list', 'test_list'), WORDS)),
    'models': strategies.fixed_dictionaries({'generator': strategies.fixed_dictionaries(
        {'fn': WORDS, 'name': WORDS, 'args': ARGUMENTS})}),
    'adam': strategies.fixed_dictionaries({'alpha': strategies.floats(1e-300, 1e300),
                                           'beta1': strategies.floats(0, 0.999)}),
    'background_share': strategies.none() | strategies.floats(0, 1), 'seed': strategies.integers(0, 2 ** 32 - 1),
    'iteration': COUNTS, 'iteration_decay_start': COUNTS, 'flip_until': COUNTS | strategies.none()})


@settings(deadline=None, derandomize=True, database=None, max_examples=60)
@given(CHANGES)
def test_every_config_that_loads_dumps_to_text_that_loads_equal(changes):
    try:
        config = parse_config(yaml.safe_dump({**yaml.safe_load(BASE.read_text()), **changes}), 'mine.yml')
    except UserError as error:
        assert not {'dataset', 'models', 'degradation', 'loss', 'schedule', 'adam'} & {str(error).split(': ')[1]}
        return
    assert parse_config(config.to_yaml(), 'copy') == config
    assert parse_config(config.to_yaml(), 'copy').to_yaml() == config.to_yaml()


@settings(deadline=None, derandomize=True, database=None, max_examples=300)
@given(strategies.text() | strategies.text('abdm:- \n[]{},&*!|>"\'#1.e~<'))
def test_any_text_is_a_config_or_one_line(text):
    with pytest.raises(UserError, match=r'^mine.yml: [^\n]+$'):  # by chance none is found
        parse_config(text, 'mine.yml')


def test_missing_file_is_one_line(tmp_path):
    assert 'none.yml: cannot read this config: No such file' in refusal(tmp_path / 'none.yml')
