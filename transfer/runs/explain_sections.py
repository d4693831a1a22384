"""The parts of the page of `transfer explain`: each a heading, sentences and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from transfer.networks.explanation import occlusion_map, where_it_looked
from transfer.networks.features import batches_of
from transfer.networks.inner_images import EDGES, edge_correlations, layer_output, most_exciting, sobel
from transfer.networks.taps import OpenNetwork, Tap, is_convolution, open_network
from transfer.pages import drawing

SIDE = 96  # pixels: smaller pictures are enlarged to at least so many
MOST_TILES, MOST_UNITS, MOST_CLASSES, EXAMPLES = 32, 6, 20, 8
MOST_WEIGHTS = 400_000  # positions on one plate of first-layer weights: noise, as in a dense network, packs badly


class Plate(NamedTuple):
    """One picture of the page.

    Attributes:
        name: of its file, without ending; caption: the words below it.
        image: `(H, W, 3)` uint8.
    """

    name: str
    caption: str
    image: np.ndarray


class Section(NamedTuple):
    """One part of the page: a heading, sentences, pictures."""

    title: str
    text: str
    plates: list[Plate]


class Looked(NamedTuple):
    """Where the network looked in one picture.

    Attributes:
        method: what drew `heat`; heat, occluded: `(S, S)` 0..1.
        agreement: Pearson's correlation of the two maps, `None` where one of them is 0 everywhere.
    """

    method: str
    heat: np.ndarray
    occluded: np.ndarray
    agreement: float | None


def look(model: keras.Model, pictures: np.ndarray, classes: Sequence[int]) -> list[Looked]:
    """Explain pictures `(B, S, S, 3)` in two ways that share nothing, and tell how far they agree."""
    method, heats = where_it_looked(model, pictures, classes)
    rows = []
    for heat, occluded in zip(heats, occlusion_map(model, pictures, classes)):
        told = heat.std() > 0 and occluded.std() > 0
        agreement = float(np.corrcoef(heat.ravel(), occluded.ravel())[0, 1]) if told else None
        rows.append(Looked(method, heat, occluded, agreement))
    return rows


def looked(picture: np.ndarray, seen: Looked, number: int, title: str) -> Section:
    """The maps of one picture side by side."""
    if seen.agreement is None:
        text = "Nothing in this picture speaks for the class by one of the two methods."
    else:
        text = f"The two maps correlate by {seen.agreement:.2f} (1: the same, 0: unrelated)."
    if seen.method != "Grad-CAM":
        text += " This network has no feature maps to weigh, so gradients at the pixels stand in for Grad-CAM."
    plates = [
        Plate(f"picture-{number}", "what the network gets", _sheet([picture])),
        Plate(f"looked-{number}", seen.method, _sheet([drawing.overlay(picture, seen.heat)])),
        Plate(f"occlusion-{number}", "occlusion", _sheet([drawing.overlay(picture, seen.occluded)])),
    ]
    return Section(title, text, plates)


def feature_maps(model: keras.Model, picture: np.ndarray, layers: Sequence[str]) -> Section:
    """What layers make of a picture `(S, S, 3)`."""
    plates = []
    for number, name in enumerate(layers, 1):
        values = layer_output(model, picture[None], name)[0]
        shape = " x ".join(map(str, values.shape))
        plates.append(Plate(f"maps-{number}", f"{name}: {shape}", _drawn(values)))
    text = (
        "Each filter of a layer makes a new image of what the layer before found; deeper ones are coarser and answer "
        f"to larger things. Of each layer the {MOST_TILES} maps that vary most are shown, yellow is high; values "
        "without positions are drawn as one square each."
    )
    return Section("What the layers make of the first picture", text, plates)


def typical_layers(network: OpenNetwork) -> list[str]:
    """The last layer at each size of maps but those that only pad, or all fully-connected ones without maps."""
    maps = [name for name in network.maps() if not isinstance(network.tap(name).layer, keras.layers.ZeroPadding2D)]
    by_size = {network.tap(name).output.shape[1:3]: name for name in maps}
    dense = [name for name, tap in network.taps.items() if isinstance(tap.layer, keras.layers.Dense)]
    return list(by_size.values()) or dense


def first_layer(now: np.ndarray, others: dict[str, np.ndarray], is_dense: bool) -> Section:
    """First-layer weights as images, those of other networks beside them.

    Args:
        now: `(units, height, width, 3)` 0..1 of the network itself.
        others: the same of others, by what they are.
        is_dense: whether each unit sees the whole picture.
    """
    rows = {"this network": now, **others}
    plates = [
        Plate(f"filters-{number}", f"{name}: {said}", drawing.tiles(shown, 8, SIDE // 2, paper=255))
        for number, (name, (said, shown)) in enumerate(zip(rows, map(_first_units, rows.values())), 1)
    ]
    kind = (
        "A dense network has no filters: each unit has a weight for every pixel, drawn here where the pixel is."
        if is_dense
        else "Each filter is drawn as the patch that it answers to most."
    )
    return Section("The first layer", f"{kind} Grey stands for no weight.", plates)


def edges(model: keras.Model, picture: np.ndarray, filters: np.ndarray) -> Section:
    """Sobel's edges of a picture beside the first layer's filters that find the same."""
    correlations, maps = edge_correlations(model, picture)
    plates, found = [], drawing.coloured(sobel(picture), "gray")
    for number, (name, image, row) in enumerate(zip(EDGES, found, correlations), 1):
        best = int(np.abs(row).argmax())
        caption = f"{name}: Sobel, the nearest filter (number {best}, correlation {row[best]:.2f}) and its map"
        beside = drawing.coloured(maps[best][None] * np.sign(row[best]), "gray")[0]
        plates.append(Plate(f"edges-{number}", caption, _beside([image, filters[best], beside])))
    strong = (np.abs(correlations[:2]).max(axis=0) > 0.8).mean()
    text = (
        "Sobel's operator is a filter that somebody wrote down; these were learned. "
        f"{strong:.0%} of the filters correlate by more than 0.8 with one of its two directions."
    )
    return Section("Edges: written down and learned", text, plates)


def exciting(
    model: keras.Model, picture: np.ndarray, examples: np.ndarray, layer: str, class_names: Sequence[str], source: str
) -> Section:
    """The examples `(N, S, S, 3)` that excite some units of a layer most, and each class's neuron."""
    network = open_network(model)
    units = layer_output(model, picture[None], layer)[0]
    strongest = np.argsort(-units.reshape(-1, units.shape[-1]).max(axis=0))[:MOST_UNITS]
    order, _ = most_exciting(model, batches_of(examples), layer, EXAMPLES)
    plates = [
        Plate(f"unit-{unit}", f"unit {unit} of {layer}", drawing.tiles(examples[order[unit]], EXAMPLES, SIDE // 2))
        for unit in map(int, strongest)
    ]
    order, values = most_exciting(model, batches_of(examples), list(network.taps)[-1], EXAMPLES)
    for number, name in enumerate(class_names[:MOST_CLASSES]):
        caption = f"the neuron of class {name}, logits {values[number][0]:.1f} to {values[number][-1]:.1f}"
        plates.append(Plate(f"class-{number}", caption, drawing.tiles(examples[order[number]], EXAMPLES, SIDE // 2)))
    text = (
        f"Of {len(examples)} {source}, those that excite a unit most, strongest first: the units of {layer} that the "
        "first picture excites most, then the neuron that each class has at the end"
    )
    text += f" (the first {MOST_CLASSES} of {len(class_names)} classes)." if len(class_names) > MOST_CLASSES else "."
    return Section("What units answer to", text, plates)


def exciting_layer(network: OpenNetwork) -> str:
    """The layer whose units are worth looking at: the last maps, or the first layer of a dense network."""
    return network.maps()[-1] if network.maps() else network.first_weighted().layer.name


def is_dense(first: Tap) -> bool:
    """Whether a network begins with a fully-connected layer."""
    return not is_convolution(first.layer)


def _first_units(images: np.ndarray) -> tuple[str, np.ndarray]:
    """(how many units there are, as many of them as can be shown) of `(units, height, width, 3)`."""
    shown = images[: max(1, min(128, MOST_WEIGHTS // (images.shape[1] * images.shape[2])))]
    units = f"{len(images)} units" if len(images) > 1 else "1 unit"
    return (units if len(shown) == len(images) else f"{len(shown)} of {units}"), shown


def _drawn(values: np.ndarray) -> np.ndarray:
    """Feature maps `(H, W, filters)` as tiles; values without positions as squares."""
    if values.ndim == 3:
        maps = values.transpose(2, 0, 1)
        chosen = np.sort(np.argsort(-maps.std(axis=(1, 2)), kind="stable")[:MOST_TILES])
        return drawing.tiles(drawing.coloured(maps[chosen]), 8, SIDE // 2)
    if values.ndim == 1:
        return drawing.tiles(drawing.coloured(values[None, None])[0].transpose(1, 0, 2)[:, None], 32, side=12)
    return _sheet([drawing.coloured(values.reshape(1, len(values), -1))[0]])


def _sheet(images: Sequence[np.ndarray]) -> np.ndarray:
    return drawing.tiles(np.stack(images), len(images), side=2 * SIDE)


def _beside(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images of different sizes in one row, each enlarged to the same height."""
    return drawing.tiles([drawing.enlarged(image, 2 * SIDE) for image in images], len(images))
