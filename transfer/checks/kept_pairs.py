"""Near duplicates that were found among the same pictures before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from transfer.cache import cache_folder, keep_content, kept_content
from transfer.checks import inspection

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
    place = cache_folder("pairs") / key
    kept = kept_content(place)
    if kept is not None:
        return [tuple(row) for row in json.loads(kept)]
    pairs = find()
    keep_content(place, json.dumps([list(pair) for pair in pairs]).encode())
    return pairs
