"""Near duplicates that were found among the same pictures before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from transfer.cache import cache_folder
from transfer.checks import inspection
from transfer.writing import whole_file

VERSION = 1  # of how near duplicates are found: another one makes what was kept void
FEW = 1000  # pictures, below which they are found as quickly as they are read


def kept_pairs(digests: Sequence[str], find: Callable[[], list[tuple]]) -> list[tuple]:
    """What `find` gives for pictures of these contents, kept in the user's cache folder where they are many.

    Args:
        digests: of the files, in the order that the pairs count them in.
        find: (first, second, likeness, mirrored) of the pairs.
    """
    if len(digests) < FEW:
        return find()
    key = hashlib.blake2b("\n".join([f"{VERSION}.{inspection.VERSION}", *digests]).encode(), digest_size=16).hexdigest()
    place = cache_folder("pairs") / f"{key}.json"
    try:
        return [tuple(row) for row in json.loads(place.read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        pairs = find()  # not kept yet, or damaged
    with whole_file(place) as partial:
        partial.write_text(json.dumps([list(pair) for pair in pairs]), encoding="utf-8")
    return pairs
