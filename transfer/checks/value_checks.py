"""What values of more than 8 bits, and further bands, become on their way to RGB.

Each function takes `Facts` and yields `Found`s; `quality.KINDS` says what each weighs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from transfer.checks.findings import Facts, Found
from transfer.data.levels import HALF_CLEAR, factor, range_of
from transfer.pages.wording import number_of

DARK = 16  # the range that all share, over that of a picture by itself: it is almost black then
_WHAT = {"I;16": "values of 16 bits", "I": "whole numbers of 32 bits", "F": "floats"}


def ranges(facts: Facts) -> Iterator[Found]:
    """Which values become 0..255, where not all pictures are of 8 bits."""
    for kind, level in facts.images.levels.items():
        if kind == "A":
            yield Found("the alpha of TIFFs is " + ("laid on white" if level else "another band: it is left away"))
        else:
            yield Found(f"{_WHAT[kind]} are taken as {range_of(level)}, the same in all pictures")


def scales(facts: Facts) -> Iterator[Found]:
    """Pictures of more than 8 bits that the range of all does not fit."""
    levels = facts.images.levels
    own = {
        i: factor(file.kind, file.measured) / levels[file.kind]
        for i, file in enumerate(facts.inspections)
        if levels.get(file.kind) and file.kind != "A"
    }
    for said, chosen in (
        ("almost black", [i for i, ratio in own.items() if ratio >= DARK]),
        ("cut to white where they exceed it", [i for i, ratio in own.items() if ratio < 1]),
    ):
        if chosen:
            yield Found(
                f"{number_of(len(chosen), 'picture')} of another range than the one for all, by which they are {said}",
                tuple((i,) for i in chosen),
            )


def no_numbers(facts: Facts) -> Iterator[Found]:
    """Pictures with pixels that are NaN or infinite."""
    share = facts.column("no_number")
    chosen = np.flatnonzero(share > 0).tolist()
    if chosen:
        message = f"{number_of(len(chosen), 'picture')} with pixels that are NaN or infinite"
        yield Found(message, tuple((i,) for i in chosen), tuple(f"{share[i]:.1%} of its pixels" for i in chosen))


def further_bands(facts: Facts) -> Iterator[Found]:
    """Pictures of more bands than are read, and those whose alpha looks like one, such as near infrared."""
    chosen = np.flatnonzero(facts.column("half_clear") > HALF_CLEAR).tolist()
    white = [i for i in chosen if facts.inspections[i].kind != "A" or facts.images.levels.get("A")]
    if chosen:
        end = f", {len(white):,} of which are laid on white" if white else ", which is left away"
        yield Found(
            f"{number_of(len(chosen), 'picture')} half clear in most pixels: a fourth band may be stored as alpha{end}",
            tuple((i,) for i in chosen),
        )
    more = [i for i, file in enumerate(facts.inspections) if file.bands > len(file.mode.partition(";")[0])]
    if more:
        bands = [facts.inspections[i].bands for i in more]
        yield Found(
            f"{number_of(len(more), 'picture')} of more bands than are read: the first are taken",
            tuple((i,) for i in more),
            tuple(f"{count} bands" for count in bands),
        )
