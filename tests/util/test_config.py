import pytest

from util.choices import settings_of
from util.config import Degradation, Loss, Schedule
from util.config_files import load_config, parse_config
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
    assert config.background_share is None and (config.loss.name, config.schedule.name) == ('mse', 'linear')
    assert config.models.generator.args == {'in_channels': 1, 'residual': 'none', 'conv3_init': 'he_normal'}


@pytest.mark.parametrize('choice', [Degradation, Loss, Schedule])
def test_every_name_of_a_table_is_a_choice_with_its_defaults(choice):
    for name in choice.table:
        made = choice(name=name)
        assert made.settings == settings_of(choice.function(name))
        assert choice.model_validate(made.model_dump()) == made


def test_a_setting_is_handed_on_and_its_default_written_out():
    config = parse_config(changed('loss: mse', 'loss: charbonnier'), 'a.yml')
    assert config.loss.settings == {'epsilon': 1e-3} and 'epsilon: 0.001' in config.to_yaml()
    explicit = parse_config(changed('loss: mse', 'loss: {name: charbonnier, epsilon: 1e-3}'), 'a.yml')
    assert explicit == config
    other = parse_config(changed('loss: mse', 'loss: {name: charbonnier, epsilon: 0.01}'), 'a.yml')
    assert other != config and other.loss.settings == {'epsilon': 0.01}


@pytest.mark.parametrize('beta', [0, 1])
def test_the_loss_of_the_paper_and_that_of_mse_can_be_chosen(beta):
    config = parse_config(changed('loss: mse', f'loss: {{name: gaussian_nll, beta: {beta}}}'), 'a.yml')
    assert config.loss.settings == {'beta': beta} and parse_config(config.to_yaml(), 'copy') == config


def test_nothing_is_drawn_unless_it_is_said_and_a_number_is_a_range():
    assert not load_config(PROJECT / 'configs/base.yml').drawn.anything
    drawn = 'drawn: {degradation: {name: gaussian, fwhm: [1, 2]}, noise: 0.1}'
    config = parse_config(changed('seed: 0', f'seed: 0\n{drawn}'), 'a.yml')
    assert config.drawn.anything and config.drawn.noise == (0.1, 0.1) and config.drawn.gamma is None
    gaussian, = config.drawn.degradation
    assert gaussian.settings == {'fwhm': (1, 2)} and gaussian.weight == 1
    assert parse_config(config.to_yaml(), 'copy') == config


@pytest.mark.parametrize('old, new', [
    ('iteration_decay_start: 20000', 'iteration_decay_start: 100000'), ('flip_until: null', 'flip_until: 100000'),
    ('patchside: 64', 'patchside: [64, 64, 48]\nmargin: 5'), ('patchside: 64', 'patchside: 1024'),
    ('upsampling_rate: 4', 'upsampling_rate: 16'), ('seed: 0', 'seed: 4294967295')])
def test_what_lies_at_a_limit_is_allowed(old, new):
    """Four patches of 1024 voxels along each axis are 16 GiB."""
    parse_config(changed(old, new).replace('batchsize: 5', 'batchsize: 4'), 'a.yml')


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
    ('name: bspline', 'name: spline', "degradation.name: allowed: bspline, block_mean, gaussian, "),
    ('patchside: 64', 'patchside: 66', 'patchside: 66 along z is not divisible by the upsampling rate 4; allowed: '),
    ('upsampling_rate: 4', 'upsampling_rate: [4, 4]', 'upsampling_rate: one whole number is wanted, or three'),
    ('upsampling_rate: 4', 'upsampling_rate: 1', 'upsampling_rate: at least one axis must have a rate above 1'),
    ('iteration_decay_start: 20000', 'iteration_decay_start: 100001',
     'iteration_decay_start: 100001 lies after the last iteration; allowed: 0 to iteration = 100000'),
    ('background_share: null', 'background_share: 10', 'background_share: Input should be less than or equal to 1'),
    ('loss: mse', 'loss: huber',
     "loss.name: allowed: mse, l1, charbonnier, mse_ssim, psnr, gaussian_nll; found 'huber'"),
    ('schedule: linear', 'schedule: step', "schedule.name: allowed: linear, cosine, constant; found 'step'"),
    ('loss: mse', 'loss: 5', 'loss: a name is wanted (mse, l1, charbonnier, mse_ssim, psnr, gaussian_nll), or a '
     'mapping of a name and its settings; found 5'),
    ('patchside: 64', 'patchside: [64, 64, 48]\nmargin: 6', 'margin: 6 LR voxels at each side leave nothing of patches '
     'of [64, 64, 48] HR voxels (z, y, x); allowed: at most 5, or null'),
    ('patchside: 64', 'patchside: [64, 64, 8]\nmargin: 1', 'margin: 1 LR voxels at each side leave nothing of patches '
     'of [64, 64, 8] HR voxels (z, y, x); allowed: null'),
    ('seed: 0', 'margin: 0', 'margin: Input should be greater than 0; found 0'),
    ('schedule: linear', 'schedule: [cosine]', 'schedule: a name is wanted (linear, cosine, constant), or a mapping'),
    ('loss: mse', 'loss: {name: gaussian_nll, beta: 1.1}', 'loss.beta: a number from 0 to 1 is wanted; found 1.1'),
    ('loss: mse', 'loss: {name: gaussian_nll, beta: false}', 'loss.beta: a positive number is wanted; found False'),
    ('loss: mse', 'loss: {name: charbonnier, epsilon: 0}', 'loss.epsilon: a positive number is wanted; found 0'),
    ('loss: mse', 'loss: {name: l1, epsilon: 1.0e-3}', 'loss.epsilon: a setting of charbonnier, not of l1'),
    ('loss: mse', 'loss: {name: mse, wait: 2}', 'loss.wait: unknown key; allowed: name'),
    ('name: bspline', 'name: block_mean\n  fwhm: 1.0', 'degradation.fwhm: a setting of gaussian, not of block_mean'),
    ('name: bspline', 'name: gaussian\n  fwhm: 0', 'degradation.fwhm: a positive number is wanted; found 0'),
    ('name: bspline', 'name: gaussian\n  fwhm: wide', "degradation.fwhm: a positive number is wanted; found 'wide'"),
    ('name: bspline', 'name: gaussian\n  sigma: 1', 'degradation.sigma: unknown key; allowed: name, noise_sigma, '),
    ('intensity_scaling: none', 'intensity_scaling: max',
     "intensity_scaling: allowed: none, percentile, deviation; found 'max'"),
    ('flip: together', 'flip: y', "flip: allowed: none, together, per_axis, x, cube, tensors; found 'y'"),
    ('flip_until: null', 'flip_until: 100001', 'flip_until: 100001 lies after the last iteration; allowed: 0 to '
     'iteration = 100000, or null'),
    ('seed: 0', 'drawn: {gama: 1}', 'drawn.gama: unknown key; allowed: degradation, blur, blurred, uneven, '
     'inverted, gamma, bias, slices, noise'),
    ('seed: 0', 'drawn: all', "drawn: a mapping of keys to values is wanted; found 'all'"),
    ('seed: 0', 'drawn: {gamma: [1.4, 0.7]}', 'drawn.gamma: the lower number comes first; found [1.4, 0.7]'),
    ('seed: 0', 'drawn: {gamma: [0.7]}', 'drawn.gamma: one number is wanted, or two: [low, high]; found [0.7]'),
    ('seed: 0', 'drawn: {slices: 0.05}', 'drawn.slices: thick slices have one axis with a rate above 1; '
     'upsampling_rate is [4, 4, 4] (z, y, x)'),
    ('seed: 0', 'drawn: {gamma: 0}', 'drawn.gamma.0: Input should be greater than or equal to 0.1; found 0'),
    ('seed: 0', 'drawn: {gamma: [1, 99]}', 'drawn.gamma.1: Input should be less than or equal to 10; found 99'),
    ('seed: 0', 'drawn: {blur: 1e9}', 'drawn.blur.0: Input should be less than or equal to 100; found '),
    ('seed: 0', 'drawn: {blurred: 0.5}', 'drawn.blurred: a share of the patches, and drawn.blur does not say how wide'),
    ('seed: 0', 'drawn: {uneven: 0.5, degradation: [gaussian]}', 'drawn.uneven: a share of the patches whose axes '
     "differ in blur or in a degradation's setting; set drawn.blur, or give a degradation a range"),
    ('name: bspline', 'name: zero_filled\n  kept: 1.5', 'degradation.kept: a share is wanted, at most 1; found 1.5'),
    ('seed: 0', 'drawn: {degradation: [{name: zero_filled, kept: [0.5, 2]}]}',
     'drawn.degradation.0.kept: a share is wanted, at most 1; found 2'),
    ('seed: 0', 'drawn: {blur: 1, blurred: 2}', 'drawn.blurred: Input should be less than or equal to 1; found 2'),
    ('seed: 0', 'drawn: {bias: 1e30}', 'drawn.bias.0: Input should be less than or equal to 10; found '),
    ('seed: 0', 'drawn: {slices: 90}', 'drawn.slices.0: Input should be less than or equal to 1; found 90'),
    ('seed: 0', 'drawn: {noise: 3}', 'drawn.noise.0: Input should be less than or equal to 1; found 3'),
    ('seed: 0', 'drawn: {noise: [-1, 0]}', 'drawn.noise.0: Input should be greater than or equal to 0; found -1'),
    ('seed: 0', 'drawn: {degradation: mean}', 'drawn.degradation.0.name: allowed: bspline, block_mean, gaussian, '),
    ('seed: 0', 'drawn: {degradation: []}', 'drawn.degradation: Value should have at least 1 item'),
    ('seed: 0', 'drawn: {degradation: [{name: bspline, fwhm: 1}]}',
     'drawn.degradation.0.fwhm: a setting of gaussian, not of bspline'),
    ('seed: 0', 'drawn: {degradation: [{name: gaussian, fwhm: [2, 1]}]}',
     'drawn.degradation.0.fwhm: one number is wanted, or two: [low, high]; found [2, 1]'),
    ('seed: 0', 'drawn: {degradation: [{name: gaussian, fwhm: [0, 1]}]}',
     'drawn.degradation.0.fwhm: a positive number is wanted; found 0'),
    ('seed: 0', 'drawn: {degradation: [{name: gaussian, fwhm: 1.0e-200}]}',
     'drawn.degradation.0.fwhm: a number from 1e-12 to 1e+12 is wanted; found 1e-200'),
    ('loss: mse', 'loss: {name: mse_ssim, peak: 1.0e+300}', 'loss.peak: a number from 1e-12 to 1e+12 is wanted; found'),
    ('seed: 0', 'drawn: {degradation: [{name: gaussian, weight: 0}]}',
     'drawn.degradation.0.weight: Input should be greater than 0; found 0'),
    ('seed: 0', 'seed: 4294967296', 'seed: Input should be less than 4294967296'),
    ('upsampling_rate: 4', 'upsampling_rate: 17', 'upsampling_rate: at most 16 along an axis; found 17'),
    ('batchsize: 5', 'batchsize: 65537', 'batchsize: Input should be less than or equal to 65536'),
    ('patchside: 64', 'patchside: 1000', 'patchside: a batch of 5 patches of (1000, 1000, 1000) voxels takes 18.6 GiB; '
     'allowed: at most 16 GiB'),
    ('patchside: 64', 'patchside: 1000000000000', 'patchside.0: Input should be less than or equal to 1000000000'),
    ('iteration: 100000', 'iteration: 10000000000', 'iteration: Input should be less than or equal to 1000000000'),
    ('iteration: 100000', 'iteration: 1e20', "iteration: Input should be a valid integer; found '1e20'"),
    ('iteration: 100000', 'iteration: 1.0e+20', 'iteration: Input should be a valid integer; found 1e+20'),
    ('in_channels: 1', 'in_channels: .nan', 'models.generator.args.in_channels: a finite number is wanted; found nan'),
    ('in_channels: 1', 'ksizes: [3, {a: .inf}]', 'models.generator.args.a: a finite number is wanted; found inf'),
    ('in_channels: 1', 'sampling: 3', 'models.generator.args.sampling: made of upsampling_rate and degradation'),
    ('seed: 0', 'seed: 2001-99-99', "seed: Input should be a valid integer; found '2001-99-99'"),
    ('seed: 0', 'seed: !!int foo', "not valid YAML: line 42: seed: 'foo' is no int"),
    ('seed: 0', 'seed: 0\nseed: 0', 'not valid YAML: line 43: seed: this key is given twice, in line 42 and in '),
    ('alpha: 1.0e-4', 'alpha: 1' + '0' * 400, 'not valid YAML: line 38: adam.alpha: a number of 401 characters'),
    ('alpha: 1.0e-4', 'alpha: "1' + '0' * 400 + '"', 'adam.alpha: Input should be a finite number'),
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
