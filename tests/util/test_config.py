import pytest

from util.config import dump_config, load_config, parse_config
from util.script import PROJECT, UserError

BASE = (PROJECT / 'configs/base.yml').read_text(encoding='utf-8')


def changed(old, new):
    assert old in BASE
    return BASE.replace(old, new, 1)


def test_base_is_the_reference_experiment():
    config = load_config(PROJECT / 'configs/base.yml')
    assert config.upsampling_rate == (4, 4, 4) and config.patchside == (64, 64, 64) and config.batchsize == 5
    assert (config.adam.alpha, config.adam.beta1, config.adam.beta2) == (1e-4, 0.9, 0.999)
    assert (config.iteration, config.iteration_decay_start) == (100000, 20000)
    assert (config.display_interval, config.evaluation_interval, config.snapshot_interval) == (100, 1000, 10000)
    assert config.degradation.name == 'bspline' and config.intensity_scaling == 'none' and config.flip == 'together'
    assert config.background_share is None and (config.loss, config.schedule) == ('mse', 'linear')
    assert config.models.generator.args == {'in_channels': 1, 'residual': 'none', 'conv3_init': 'he_normal'}


@pytest.mark.parametrize('path', sorted((PROJECT / 'configs').rglob('*.yml')), ids=lambda path: path.name)
def test_every_shipped_config_loads_and_survives_being_written(path):
    config = load_config(path)
    assert parse_config(dump_config(config), 'copy') == config


@pytest.mark.parametrize('path', sorted((PROJECT / 'configs/ablation').glob('*.yml')), ids=lambda path: path.name)
def test_an_ablation_changes_one_thing_of_the_recipe(path):
    of = 'x4_best.yml' if path.stem == 'mirrored_throughout' else 'ablation/mirrored_throughout.yml'
    recipe, ablation = load_config(PROJECT / 'configs' / of).model_dump(), load_config(path).model_dump()
    assert sum(ablation[key] != recipe[key] for key in recipe) == 1


def test_rate_per_axis_is_z_y_x():
    config = parse_config(changed('upsampling_rate: 4', 'upsampling_rate: [4, 1, 2]'), 'a.yml')
    assert config.upsampling_rate == (4, 1, 2)


def test_alpha_may_be_written_without_a_dot():
    assert parse_config(changed('1.0e-4', '1e-4'), 'a.yml').adam.alpha == 1e-4  # YAML 1.1 reads a string here


@pytest.mark.parametrize('old, new, message', [
    ('seed:', 'sead:', 'sead: unknown key; allowed: upsampling_rate, degradation, '),
    ('alpha:', 'alfa:', 'adam.alfa: unknown key; allowed: alpha, beta1, beta2'),
    ('batchsize: 5', 'batch-size: 5', 'batch-size: unknown key; allowed: '),  # and batchsize is missing
    ('batchsize: 5', '', 'batchsize: this key is missing'),
    ('batchsize: 5', 'batchsize: five', "batchsize: Input should be a valid integer; found 'five'"),
    ('batchsize: 5', 'batchsize: true', 'batchsize: Input should be a valid integer; found True'),
    ('batchsize: 5', 'batchsize: 0', 'batchsize: Input should be greater than 0; found 0'),
    ('alpha: 1.0e-4', 'alpha: .nan', 'adam.alpha: Input should be a finite number'),
    ('alpha: 1.0e-4', 'alpha: true', 'adam.alpha: a number is wanted, not true or false'),
    ('beta1: 0.9', 'beta1: 1.0', 'adam.beta1: Input should be less than 1'),
    ('name: bspline', 'name: spline', "degradation.name: Input should be 'bspline', 'block_mean'"),
    ('patchside: 64', 'patchside: 66', 'patchside: 66 along z is not divisible by the upsampling rate 4; allowed: '),
    ('upsampling_rate: 4', 'upsampling_rate: [4, 4]', 'upsampling_rate: one whole number is wanted, or three'),
    ('upsampling_rate: 4', 'upsampling_rate: 1', 'upsampling_rate: at least one axis must have a rate above 1'),
    ('iteration_decay_start: 20000', 'iteration_decay_start: 100001',
     'iteration_decay_start: 100001 lies after the last iteration; allowed: 0 to iteration = 100000'),
    ('background_share: null', 'background_share: 10', 'background_share: Input should be less than or equal to 1'),
    ('loss: mse', 'loss: huber', "loss: Input should be 'mse', 'l1' or 'charbonnier'; found 'huber'"),
    ('schedule: linear', 'schedule: step', "schedule: Input should be 'linear', 'cosine' or 'constant'; found 'step'"),
    ('flip: together', 'flip: y', "flip: Input should be 'none', 'together', 'per_axis' or 'x'; found 'y'"),
    ('flip_until: null', 'flip_until: 100001', 'flip_until: 100001 lies after the last iteration; allowed: 0 to '
     'iteration = 100000, or null'),
    ('seed: 0', 'seed: 4294967296', 'seed: Input should be less than 4294967296'),
    ('seed: 0', 'seed: [0', 'not valid YAML'),
    ('seed: 0', 'seed: !!python/object/apply:os.getcwd []', 'not valid YAML'),
])
def test_a_fault_is_one_line_with_file_key_and_what_is_allowed(old, new, message):
    with pytest.raises(UserError) as caught:
        parse_config(changed(old, new), 'configs/mine.yml')
    text = str(caught.value)
    assert text.startswith('configs/mine.yml: ' + message) and '\n' not in text


@pytest.mark.parametrize('text', ['', '- a list', 'words'])
def test_text_without_keys_is_refused(text):
    with pytest.raises(UserError, match='no keys found'):
        parse_config(text, 'a.yml')


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(UserError, match='cannot read this config: No such file'):
        load_config(tmp_path / 'none.yml')
