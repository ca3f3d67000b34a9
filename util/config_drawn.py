"""What an experiment's file may say under `drawn`: what scans differ in, for each patch anew."""
from typing import Annotated

from pydantic import BeforeValidator, Field

from util.config_types import Choice, Number, Section, positive, range_of
from util.volumes.degradation import DEGRADATIONS


def _as_list(value):
    return value if value is None or isinstance(value, (list, tuple)) else [value]


def degradation_setting(key, value):
    """The value of a degradation's setting.

    Args:
        key (str): ``'fwhm'`` or ``'kept'`` (`util.volumes.degradation.degrade`).
        value: As YAML has it.

    Returns:
        float: Above 0; of ``kept`` at most 1.

    Raises:
        ValueError: If it is none, naming the key.
    """
    number = positive(key, value)
    if key == 'kept' and number > 1:
        raise ValueError(f'{key}: a share is wanted, at most 1; found {value!r}')
    return number


class DrawnDegradation(Choice):
    """One of the degradations that are drawn from; each of its settings is a number or a range."""
    table = DEGRADATIONS

    weight: Annotated[Number, Field(gt=0)] = 1.0

    @classmethod
    def function(cls, name):
        return cls.table[name].along_axis

    @classmethod
    def checked(cls, key, value):
        if not isinstance(value, (list, tuple)):
            return degradation_setting(key, value)
        if len(value) != 2 or degradation_setting(key, value[0]) > degradation_setting(key, value[1]):
            raise ValueError(f'{key}: one number is wanted, or two: [low, high]; found {value!r}')
        return tuple(map(float, value))


class Drawn(Section):
    """What is drawn anew for each patch (`util.dataset.drawn`); null: nothing is. A range is [low, high]."""
    degradation: Annotated[tuple[DrawnDegradation, ...], BeforeValidator(_as_list), Field(min_length=1)] | None = None
    # No more than leaves something of the head, and numbers that float32 can hold.
    blur: range_of(Annotated[Number, Field(ge=0, le=100)]) | None = None   # of HR: its width (FWHM), HR voxels
    blurred: Annotated[Number, Field(ge=0, le=1)] | None = None            # share of patches; null: all, if blur is set
    uneven: Annotated[Number, Field(ge=0, le=1)] | None = None             # share: axes differ, of blur some have none
    inverted: Annotated[Number, Field(ge=0, le=1)] | None = None           # share of patches: HR's contrast turned over
    gamma: range_of(Annotated[Number, Field(ge=0.1, le=10)]) | None = None  # of HR, before LR is made of it
    bias: range_of(Annotated[Number, Field(ge=0, le=10)]) | None = None    # of HR: a smooth field of that amplitude
    slices: range_of(Annotated[Number, Field(ge=0, le=1)]) | None = None   # of LR: spread of thick slices' brightness
    noise: range_of(Annotated[Number, Field(ge=0, le=1)]) | None = None    # of LR: Rician, of LR's 99th percentile

    @property
    def has_widths(self):
        """Whether anything is drawn that may differ from axis to axis."""
        return self.blur is not None or any(isinstance(value, tuple) for one in self.degradation or ()
                                            for value in one.settings.values())

    @property
    def anything(self):
        """Whether anything is drawn."""
        return any(value is not None for _, value in self)
