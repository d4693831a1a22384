"""What was done to give every class its pictures in every part, in words: one sentence a kind, however many classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transfer.data.tables import some


def rescue_notes(moved: Mapping[str, Sequence[str]], missing: Mapping[tuple[str, bool], Sequence[str]]) -> list[str]:
    """Sentences on classes that had too few pictures.

    Args:
        moved: by part, the classes that had none there and were given their next one in order.
        missing: by part, and by whether all pictures of the class are in one group, the classes that have none there.
    """
    notes = []
    for part, names in moved.items():
        theirs = "its next one" if len(names) == 1 else "the next one of each"
        notes.append(f"{_classes(names, 'had')} no {part} picture by chance: {theirs} in order was moved there")
    for (part, in_one_group), names in missing.items():
        one = len(names) == 1
        if in_one_group:
            why = f"{'its pictures' if one else 'the pictures of each'} are all in one group"
        else:
            why = f"{'it is' if one else 'they are'} too small to be split"
        notes.append(f"{_classes(names, 'has')} no {part} picture: {why}")
    return notes


def _classes(names: Sequence[str], verb: str) -> str:
    if len(names) == 1:
        return f"class {names[0]!r} {verb}"
    return f"{len(names)} classes ({some(map(repr, names))}) {'have' if verb == 'has' else verb}"
