"""YAML from elsewhere: read as SafeLoader reads it where a config may hold it, and refused in one line where not."""
import time

import pytest
import yaml
from hypothesis import given, settings, strategies

from util.script import PROJECT, UserError
from util.yaml_text import DEEPEST, MOST_BYTES, MOST_NODES, load_yaml


def refusal(text):
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        load_yaml(text, 'mine.yml')
    assert time.monotonic() - started < 20
    assert str(caught.value).startswith('mine.yml: ') and '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('path', sorted((PROJECT / 'configs').rglob('*.yml')), ids=lambda path: path.name)
def test_shipped_configs_are_read_as_before(path):
    text = path.read_text(encoding='utf-8')
    assert load_yaml(text, path) == yaml.safe_load(text)


@pytest.mark.parametrize('text', [
    '', 'a: 1', '[1, 0x1F, 0o7, 017, 1_000, 1:30, -1]', '[1.0, 1e-4, 1.5e+3, .inf, -.inf, 1:30.5]', '[yes, ~, null]',
    'a: &x {b: 1}\nc: *x', 'a: &x {b: 1}\nc: {<<: *x, d: 2}', 'c: {<<: [{b: 1}, {b: 2}], d: 3}',
    'd: {e: {<<: &x {b: 1, <<: {b: 2}}}}\nf: {<<: *x}', 'a: "r\\xb3 \\U0001F600"', 'a: |\n  two\n  lines\n', '!!str 5'])
def test_what_a_config_may_hold_is_what_yaml_says(text):
    assert load_yaml(text, 'mine.yml') == yaml.safe_load(text)


def test_a_date_is_a_text():
    assert load_yaml('[2001-01-01, 2001-99-99]', 'mine.yml') == ['2001-01-01', '2001-99-99']


@pytest.mark.parametrize('text, words', [
    ('a: 1\nb: 2\na: 3', 'not valid YAML: line 3: a: this key is given twice, in line 1 and in line 3'),
    ('adam:\n  alpha: 1\n  beta1: 2\n  "alpha": 3', 'line 4: adam.alpha: this key is given twice, in line 2'),
    ('a: {b: [{c: {d: 1, d: 2}}]}', 'line 1: a.b.0.c.d: this key is given twice'),
    ('a: {<<: {b: 1}, <<: {c: 1}}', 'a.<<: this key is given twice'),
    ('1: 2', 'a key must be a word; found 1'), ('on: 2', 'found on'), ('~: 2', 'found ~'), ('1.5: 2', 'found 1.5'),
    ('[a]: 2', 'a key must be a word'), ('? {a: 1}\n: 2', 'a key must be a word'), ('x: &x a\n*x : 2', 'a key must be'),
    ('a: !!int foo', "line 1: a: 'foo' is no int"), ('a: !!int ""', "a: '' is no int"),
    ('a: !!float foo', 'a: '), ('a: !!bool foo', "a: 'foo' is no bool"),
    ('a: !!binary aGFsbG8=', 'a: the tag tag:yaml.org,2002:binary is not allowed'), ('a: !!set {b}', 'a: the tag'),
    ('a: !!timestamp foo', 'a: the tag'), ('a: !mine 5', 'a: the tag !mine'), ('!!omap [a: 1]', 'the tag'),
    ('a: !!python/object/apply:os.getcwd []', 'a: the tag tag:yaml.org,2002:python/object/apply:os.getcwd'),
    ('a: !!python/name:os.system', 'a: the tag'), ('a: !!python/object/new:os.system [echo]', 'a: the tag'),
    ('a: ' + '9' * 5000, 'a: a number of 5000 characters'), ('a: 0x' + 'f' * 5000, 'a: a number of 5002'),
    ('a: 1' + ':1' * 300000, 'a: a number of 600001'), ('a: 9223372036854775808', 'a: 9223372036854775808 is out of'),
    ('a: "\\0"', 'a: a character that no text has'), ('a: "\\ud800"', 'a: a character'), ('"\\0": 1', 'a character'),
    ('a: "\\U00110000"', 'not valid YAML'), ('a: "\\UFFFFFFFF"', 'not valid YAML'), ('a: \0', 'not valid YAML'),
    ('a: *x', 'a: *x stands for nothing'), ('a: &x [*x]', 'a.0: *x stands for nothing, or for what it lies in'),
    ('a: &x {b: *x}', 'a.b: *x'), ('a: &x {<<: *x}', 'a.<<: *x'),
    ('a: ' + '[' * 10000, f'more than {DEEPEST} lists and mappings'), ('{a: ' * 10000, f'more than {DEEPEST}'),
    ('- ' * 10000, f'more than {DEEPEST}'), ('? ' * 10000, 'a key must be a word'), ('[' * 60 + '? ' * 60, 'more than'),
    ('#' * (MOST_BYTES + 1), f'at most {MOST_BYTES} are read'), ('a: 1\n--- \nb: 2', 'a single document'),
])
def test_what_no_config_holds_is_one_line_that_names_the_key(text, words):
    assert words in refusal(text)


@pytest.mark.slow
@pytest.mark.parametrize('text', [
    '\n'.join(f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9 if i else ["x"])}]' for i in range(30)),  # 9 ** 29 words
    '\n'.join(f'a{i}: &a{i} {{<<: [{", ".join([f"*a{i - 1}"] * 9 if i else ["{b: 1}"])}]}}' for i in range(30)),
    '[' + 'a,' * (MOST_BYTES // 2 - 1) + ']',
    '\n'.join(f'a{i}: ' for i in range(MOST_NODES))], ids=['aliases', 'merges', 'list', 'keys'])
def test_size_is_bounded(text):
    assert f'more than {MOST_NODES} keys and values' in refusal(text)


TEXT = strategies.text(strategies.characters(codec='utf-8', exclude_characters='\0'))
LEAVES = strategies.one_of(
    strategies.none(), strategies.booleans(), strategies.integers(1 - 2 ** 63, 2 ** 63 - 1),
    strategies.floats(allow_nan=False), TEXT)


@settings(deadline=None, derandomize=True, database=None)
@given(strategies.recursive(
    LEAVES, lambda inner: strategies.lists(inner) | strategies.dictionaries(TEXT, inner), max_leaves=9))
def test_what_is_dumped_loads_equal(value):
    assert load_yaml(yaml.safe_dump(value), 'mine.yml') == value


@settings(deadline=None, derandomize=True, database=None, max_examples=500)
@given(strategies.text('ab:- \n[]{},&*!?|>%"\'#1.e~<') | strategies.text())
def test_any_text_loads_or_is_one_line(text):
    try:
        load_yaml(text, 'mine.yml')
    except UserError as error:
        assert '\n' not in str(error)
