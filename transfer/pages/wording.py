"""How pages and commands say numbers, shares and places."""

from __future__ import annotations

import re

_START = r"(?:/|~/|[A-Za-z]:[\\/])"
_PLACE = re.compile(rf"""(?P<quote>['"])(?P<quoted>{_START}.*?)(?P=quote)|(?<![^\s=,(]){_START}[^\s'",;)]+""")


def number_of(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share 0..1 as `84.5 %`, none as `-`; what is not all never becomes 100 %, nor what is there 0 %.

    Args:
        share: 0..1, or `None` where there is nothing to take a share of.
        digits: behind the point.
    """
    if share is None:
        return "-"
    shown, step = f"{100 * share:.{digits}f}", 10**-digits
    if share < 1 and float(shown) == 100:
        shown = f"> {100 - step:.{digits}f}"
    elif share > 0 and float(shown) == 0:
        shown = f"< {step:.{digits}f}"
    return f"{shown}\u00a0%"


def without_places(text: str) -> str:
    """Shorten absolute paths in a command or sentence to their last name, since a page is mailed: `…/flowers`.

    Addresses on the web and relative paths stay. A path that is not quoted ends at its first space.
    """
    return _PLACE.sub(lambda found: _shortened(found["quoted"] or found[0], found["quote"] or ""), text)


def without_place(value: object) -> object:
    """The same of a value that is one path, spaces and all, or anything else."""
    return _shortened(value) if isinstance(value, str) and re.match(_START, value) else value


def _shortened(path: str, quote: str = "") -> str:
    *_, name = re.split(r"[/\\]+", path.rstrip("/\\"))
    return f"{quote}…/{name}{quote}"
