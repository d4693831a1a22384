"""Features from every depth of a network: the averages of its maps, found from its graph."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers as kl

from transfer.errors import OptionError
from transfer.networks.taps import OpenNetwork, Tap, is_convolution, open_network

SAME = 0.75  # of a side: convolutions without padding take off less, strides more


def with_stages(model: keras.Model) -> keras.Model:
    """A network that gives the averages of the maps at the end of each resolution beside its own features.

    The end of a resolution is the last map of it that all maps after it are made from, so the sum behind a residual
    block and not what is inside; in a network without such a point (NASNet) it is the last map of the resolution.
    A map whose average is among the features already is not taken again.

    Args:
        model: functional or sequential, pictures `(B, S, S, 3)` to features `(B, D)`.

    Returns:
        `keras.Model` of layers of its own with the same weights, pictures `(B, S, S, 3)` to `(B, D + channels of the
        maps)`, from the first map to the last, then the features of `model`.

    Raises:
        OptionError: the network has no convolutions.
        LayerError: the network is of a class of its own, whose layers Keras does not know.
    """
    network = open_network(model, copies=True)
    maps = stage_maps(network)
    if maps is None:
        raise OptionError(f"features stages: {model.name} has no convolutions and so no maps; expected features last")
    averages = [kl.GlobalAveragePooling2D(name=f"stage{number}")(tensor) for number, tensor in enumerate(maps)]
    features = kl.Concatenate(name="stages")([*averages, network.logits]) if averages else network.logits
    return keras.Model(network.pictures, features, name=model.name)


def stage_maps(network: OpenNetwork) -> list[keras.KerasTensor] | None:
    """The map at the end of each resolution whose average is not yet taken; `None` without convolutions."""
    calls = network.calls
    first = next((i for i, call in enumerate(calls) if is_convolution(call.layer)), None)
    if first is None:
        return None
    averages = [isinstance(call.layer, kl.GlobalAveragePooling2D) for call in calls]
    last = max(i for i, call in enumerate(calls) if _is_map(call.output) and not averages[i])
    trunk = _leading_to(last, calls)
    everything_passes = _passed_by_all(trunk, calls)
    maps = [i for i in trunk if i >= first and _is_map(calls[i].output) and not _pads(calls[i])]
    ends = []
    for sides in _resolutions({_side(calls[i].output) for i in maps}):
        here = [i for i in maps if _side(calls[i].output) in sides]
        common = [i for i in here if i in everything_passes]
        if sides != [1]:  # one position is a gate of squeeze-and-excitation, or what the features are made of
            ends.append(calls[(common or here)[-1]].output)
    taken = {id(call.input) for i, call in enumerate(calls) if averages[i] and i not in trunk}
    return [tensor for tensor in ends if id(tensor) not in taken]


def _leading_to(end: int, calls: Sequence[Tap]) -> list[int]:
    """The calls that a call depends on, with itself, in order."""
    made_by = _made_by(calls)
    found, ahead = set(), {end}
    while ahead:
        i = ahead.pop()
        found.add(i)
        ahead |= {made_by[id(tensor)] for tensor in calls[i].inputs if id(tensor) in made_by} - found
    return sorted(found)


def _passed_by_all(trunk: Sequence[int], calls: Sequence[Tap]) -> set[int]:
    """Of calls in order, those that no path from the picture to the last goes round.

    No edge of the graph may lead from before such a call to behind it.
    """
    made_by = _made_by(calls)
    furthest: dict[int, int] = {}  # from each call, or from the picture, to the last one that takes its output
    for i in trunk:
        for tensor in calls[i].inputs:
            source = made_by.get(id(tensor), -1)
            furthest[source] = max(furthest.get(source, -1), i)
    found, reach = set(), furthest.get(-1, -1)
    for i in trunk:
        if reach <= i:
            found.add(i)
        reach = max(reach, furthest.get(i, -1))
    return found


def _made_by(calls: Sequence[Tap]) -> dict[int, int]:
    return {id(tensor): i for i, call in enumerate(calls) for tensor in call.outputs}


def _resolutions(sides: set[int]) -> list[list[int]]:
    """Sides of maps, largest first, those of one resolution together."""
    levels: list[list[int]] = []
    for side in sorted(sides, reverse=True):
        if levels and side > SAME * levels[-1][0]:
            levels[-1].append(side)
        else:
            levels.append([side])
    return levels


def _pads(call: Tap) -> bool:
    return _is_map(call.input) and _side(call.output) > _side(call.input)


def _is_map(tensor: keras.KerasTensor) -> bool:
    return len(tensor.shape) == 4


def _side(tensor: keras.KerasTensor) -> int:
    return tensor.shape[1]
