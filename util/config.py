"""The experiment's YAML file: every key, its type and its allowed values, checked when the file is loaded."""
import os
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError,
                      model_validator)

from util.script import UserError

Count = Annotated[StrictInt, Field(gt=0)]


def _as_triple(value):
    if isinstance(value, (list, tuple)):
        if len(value) != 3:
            raise ValueError('one whole number is wanted, or three: [z, y, x]')
        return tuple(value)
    return (value, value, value)


def _some_axis_above_one(rate):
    if max(rate) == 1:
        raise ValueError('at least one axis must have a rate above 1')
    return rate


PerAxis = Annotated[tuple[Count, Count, Count], BeforeValidator(_as_triple)]  # (z, y, x)
Rate = Annotated[PerAxis, AfterValidator(_some_axis_above_one)]


def _number(value):
    # YAML 1.1 reads 1e-4 (no dot) as a string; it is so common a way to write alpha that it is taken for what it says.
    if isinstance(value, bool):
        raise ValueError('a number is wanted, not true or false')
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Beta = Annotated[Number, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True)


class Degradation(_Section):
    """How an LR volume is made from an HR volume; the formulas are in ``util/degradation.py``."""
    name: Literal['bspline', 'block_mean', 'gaussian', 'kspace'] = 'bspline'
    fwhm: Annotated[Number, Field(gt=0)] = 1.0  # gaussian only: full width at half maximum, in LR voxels
    noise_sigma: Annotated[Number, Field(ge=0)] = 0.0  # Rician noise, in the volume's intensity units


class Network(_Section):
    """The network: class ``name`` in file ``fn``, made as ``name(upsampling_rate=..., centre_offset=..., **args)``."""
    fn: str
    name: str
    args: dict = {}


class Models(_Section):
    generator: Network


class Adam(_Section):
    alpha: Annotated[Number, Field(gt=0)] = 1e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.999


class Dataset(_Section):
    """The case lists: a line a case, the LR path, white space, the HR path."""
    training_list: str
    val_list: str
    test_list: str


class Config(_Section):
    """A whole experiment; README.md describes each key."""
    upsampling_rate: Rate
    degradation: Degradation = Degradation()
    dataset: Dataset
    models: Models
    intensity_scaling: Literal['none', 'percentile'] = 'none'
    batchsize: Count
    patchside: PerAxis  # HR voxels
    flip: Literal['none', 'together', 'per_axis', 'x'] = 'none'
    flip_until: Annotated[StrictInt, Field(ge=0)] | None = None  # iteration
    background_share: Annotated[Number, Field(ge=0, le=1)] | None = None
    loss: Literal['mse', 'l1', 'charbonnier'] = 'mse'
    iteration: Count
    schedule: Literal['linear', 'cosine', 'constant'] = 'linear'
    iteration_decay_start: Annotated[StrictInt, Field(ge=0)]
    adam: Adam = Adam()
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32)] = 0  # what numpy.random.seed takes
    display_interval: Count
    evaluation_interval: Count
    snapshot_interval: Count

    @model_validator(mode='after')
    def _values_fit_together(self):
        if self.iteration_decay_start > self.iteration:
            raise ValueError(f'iteration_decay_start: {self.iteration_decay_start} lies after the last iteration; '
                             f'allowed: 0 to iteration = {self.iteration}')
        if self.flip_until is not None and self.flip_until > self.iteration:
            raise ValueError(f'flip_until: {self.flip_until} lies after the last iteration; allowed: 0 to iteration = '
                             f'{self.iteration}, or null')
        for axis, side, rate in zip('zyx', self.patchside, self.upsampling_rate):
            if side % rate:
                raise ValueError(f'patchside: {side} along {axis} is not divisible by the upsampling rate {rate}; '
                                 f'allowed: multiples of {rate}, such as {side - side % rate or rate}')
        return self


def _one_line(error):
    """The first fault of a pydantic ValidationError as `key: what is wrong`, and how many more there are."""
    faults = error.errors()
    unknown = [fault for fault in faults if fault['type'] == 'extra_forbidden']  # a typo; a missing key follows from it
    first = (unknown or faults)[0]
    key = '.'.join(str(part) for part in first['loc'] if unknown or isinstance(part, int) or part.isidentifier())
    if unknown:
        section = Config
        for part in first['loc'][:-1]:
            section = section.model_fields[part].annotation
        message = f'unknown key; allowed: {", ".join(section.model_fields)}'
    elif first['type'] == 'missing':
        message = 'this key is missing'
    elif first['type'] == 'value_error' and not first['loc']:
        message = str(first['ctx']['error'])
    else:
        message = first['msg'].replace('Value error, ', '')
        message = f'{message}; found {first["input"]!r}'
    more = f' (and {len(faults) - 1} more)' if len(faults) > 1 else ''
    return (f'{key}: ' if key else '') + message + more


def parse_config(text, source):
    """Check the text of a YAML experiment.

    Args:
        text (str): YAML.
        source: What the text is called in error messages, usually its path.

    Returns:
        Config: the experiment, frozen.

    Raises:
        UserError: One line that names ``source``, the key and what is allowed.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f'{source}: not valid YAML: {" ".join(str(error).split())}') from None
    if not isinstance(values, dict):
        raise UserError(f'{source}: no keys found; a config is a YAML file such as configs/base.yml')
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(f'{source}: {_one_line(error)}') from None


def load_config(path):
    """Read and check a YAML experiment; see :func:`parse_config`."""
    try:
        text = Path(path).read_text(encoding='utf-8')
    except OSError as error:
        raise UserError(f'{path}: cannot read this config: {error.strerror}') from None
    except UnicodeDecodeError as error:
        raise UserError(f'{path}: a config is a UTF-8 text file: {error}') from None
    return parse_config(text, os.fspath(path))


def dump_config(config):
    """The YAML text from which :func:`parse_config` makes an equal Config."""
    return yaml.safe_dump(config.model_dump(mode='json'), sort_keys=False)
