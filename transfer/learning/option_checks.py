"""What the options of `train` may be, looked at before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real

from transfer.data.images import FITS
from transfer.errors import OptionError, unknown_name

NAMES: dict[str, tuple[str, ...]] = {"fit": FITS, "class_weights": ("balanced",)}
NUMBERS: dict[str, tuple[type, Callable[[float], bool], str]] = {
    "seed": (Integral, lambda seed: 0 <= seed < 2**32, f"a whole number from 0 to {2**32 - 1}"),
    "image_size": (Integral, lambda size: size >= 1, "a whole number of pixels from 1 up"),
    "epochs": (Integral, lambda epochs: epochs >= 1, "a whole number from 1 up"),
    "batch_size": (Integral, lambda pictures: pictures >= 1, "a whole number of pictures from 1 up"),
    "learning_rate": (Real, lambda rate: 0 < rate < float("inf"), "a number above 0"),
    "label_smoothing": (Real, lambda share: 0 <= share < 1, "a share from 0 to below 1"),
    "share": (Real, lambda share: 0 < share <= 1, "a share above 0 and up to 1"),
}


def check_options(**options: object) -> None:
    """Refuse values that cannot be used.

    Args:
        options: of `train`, by name; `None` stands for the default, and other options are not looked at.

    Raises:
        OptionError: a number out of its range.
        UnknownNameError: a name that is none of those there are.
    """
    for name, value in options.items():
        if value is None:
            continue
        if name in NAMES and value not in NAMES[name]:
            raise unknown_name(name, value, NAMES[name])
        if name in NUMBERS:
            kind, holds, expected = NUMBERS[name]
            if not (isinstance(value, kind) and holds(value)):
                raise OptionError(f"{name} of {value}; expected {expected}")
