"""What belongs together: pictures that names or pairs connect, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def joined(*namings: Sequence[str], pairs: Sequence[tuple[int, int]] = ()) -> np.ndarray:
    """`(N,)` which picture is the first of those that each one belongs with.

    Args:
        namings: each has a name for each of the N pictures, such as its content or its group, `""` for none;
            those that share a name in one of them belong together.
        pairs: indices of pictures that belong together, too.
    """
    count = nodes = len(namings[0])
    edges = [np.array(pairs, int).reshape(-1, 2)]
    for naming in namings:
        names, place = np.unique(naming, return_inverse=True)
        named = np.flatnonzero(names[place] != "")
        edges.append(np.column_stack([named, nodes + place[named]]))
        nodes += len(names)
    rows, columns = np.concatenate(edges).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), (nodes, nodes))
    component = connected_components(graph, directed=False)[1][:count]
    _, first, place = np.unique(component, return_index=True, return_inverse=True)
    return first[place]


def sets_of(place: np.ndarray) -> list[tuple[int, ...]]:
    """Indices of pictures that `joined` found to belong together, in tuples of two or more, in order."""
    order = np.argsort(place, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(place[order])) + 1)
    return [tuple(part.tolist()) for part in parts if len(part) > 1]
