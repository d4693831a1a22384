"""What values of more than 8 bits, and a fourth channel, become on their way to RGB.

Each function takes `Facts` with inspections and yields `Found`s; `quality.KINDS` says what each weighs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from transfer.checks.findings import Facts, Found, number_of
from transfer.data.rgb import level_scale

NARROW = 2**12  # values of 16 bits below this are of 12 bits or fewer: the upper 8 of the 16 hold next to nothing
HALF_CLEAR = 0.5  # share of the pixels from which on an alpha that is neither all nor nothing is none


def scales(facts: Facts) -> Iterator[Found]:
    """Values of 32 bits that become grey levels by different factors, and those of 16 bits that use few of them."""
    files = facts.inspections
    wide = {i: level_scale(file.mode, file.highest) for i, file in enumerate(files) if file.mode in ("I", "F")}
    factors = Counter(wide.values())
    if len(factors) > 1:
        listed = ", ".join(f"{count:,} by {factor:g}" for factor, count in sorted(factors.items()))
        rare = min(factors, key=factors.get)
        yield Found(
            f"pictures of 32 bits become grey levels by different factors, as their highest values are: {listed}",
            tuple((i,) for i, factor in wide.items() if factor == rare),
        )
    deep = {i: file.highest for i, file in enumerate(files) if file.mode.startswith("I;16")}
    if deep and max(deep.values()) < NARROW:
        yield Found(
            f"{number_of(len(deep), 'picture')} of 16 bits with no value above {max(deep.values()):.0f}, "
            "of which the upper 8 bits are almost black",
            tuple((i,) for i in deep),
        )


def no_numbers(facts: Facts) -> Iterator[Found]:
    """Pictures with pixels that are NaN or infinite."""
    share = facts.column("no_number")
    chosen = np.flatnonzero(share > 0).tolist()
    if chosen:
        message = f"{number_of(len(chosen), 'picture')} with pixels that are NaN or infinite"
        yield Found(message, tuple((i,) for i in chosen), tuple(f"{share[i]:.1%} of its pixels" for i in chosen))


def fourth_band(facts: Facts) -> Iterator[Found]:
    """Pictures whose alpha is half clear almost everywhere: another band, such as near infrared, stored as alpha."""
    chosen = np.flatnonzero(facts.column("half_clear") > HALF_CLEAR).tolist()
    if chosen:
        yield Found(
            f"{number_of(len(chosen), 'picture')} half clear in most pixels, which are laid on white: "
            "a fourth band may be stored as alpha",
            tuple((i,) for i in chosen),
        )
