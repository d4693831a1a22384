"""A run and some pictures → a folder of plates and one self-contained page that opens the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from scipy.special import softmax

from transfer.data.folders import spread
from transfer.data.images import read_fitted
from transfer.data.tables import composed
from transfer.errors import PictureError, TransferError, unknown_name
from transfer.learning.backbone_argument import asked_for
from transfer.networks import backbones
from transfer.networks.features import batches_of, forward
from transfer.networks.inner_images import first_layer_before_training, first_layer_images
from transfer.networks.taps import open_network
from transfer.pages import drawing
from transfer.pages.rendering import render
from transfer.pages.wording import percent
from transfer.reading import run_config
from transfer.runs import explain_sections
from transfer.runs.explain_sections import Section
from transfer.runs.prediction import list_files
from transfer.runs.run_folders import load_network_of
from transfer.writing import whole_folder

PAGE = "explain.html"
QUALITY = 90  # of the plates on the page, 0..100; as files they are exact
MOST_EXAMPLES = 400


def explain(
    run: str | Path,
    pictures: Sequence[str | Path],
    folder: str | Path,
    class_name: str | None = None,
    layer: str | None = None,
    examples: str | Path | None = None,
    overwrite: bool = False,
) -> dict:
    """Open the network of a run: where it looked, what its layers find, what excites its units.

    Writes `explain.html`, which needs nothing else, and its plates as PNG files beside it.

    Args:
        run: a folder that `transfer train` or `compare` wrote.
        pictures: files, folders and patterns; the first one is looked at in all layers.
        folder: to write.
        class_name: the class to explain; for each picture the predicted one by default.
        layer: whose feature maps to show; the last one at each size by default.
        examples: a folder of pictures that may excite units; the run's training pictures by default,
            where they still are.
        overwrite: replace a folder that an earlier call wrote.

    Returns:
        `page`, `files`, `pictures` and `layers` (all names). Of each picture: `file`, `true` (its class where it lies
        in the folder of one, or `None`), `predicted`, `probability`, `explained`, `method`, `agreement` of both maps.

    Raises:
        ModelFileError: no run there.
        LayerError, UnknownNameError: no such layer or class.
        DataError, PictureError: no such picture, or one that cannot be read.
        OutputError: `folder` is taken or cannot be written.
    """
    run, folder = Path(run), Path(folder)
    config = run_config(run, "model.keras")
    model = load_network_of(run, config)
    names, network = config["classes"], open_network(model)
    if class_name is not None and class_name not in names:
        raise unknown_name("`class_name`", class_name, names)
    layers = [layer] if layer and network.tap(layer) else explain_sections.typical_layers(network)
    files = list_files(pictures)
    pixels = np.stack([_pixels(path, model, config) for path in files])
    chosen, source = _examples(model, config, examples)
    true = [_true_class(path, config) for path in files]
    rows, sections = _looked(model, files, pixels, names, class_name, true)
    sections += _opened(model, config, pixels[0], layers)
    if len(chosen):
        unit_layer = explain_sections.exciting_layer(network)
        sections.append(explain_sections.exciting(model, pixels[0], chosen, unit_layer, names, source))
    about = (
        f"{model.count_params():,} weights, pictures of {pixels.shape[1]} pixels, method {config['options']['method']}"
    )
    written = _write(folder, overwrite, sections, f"Inside {run.resolve().name}", about)
    return {"page": str(folder / PAGE), "files": written, "pictures": rows, "layers": list(network.taps)}


def _true_class(path: Path, config: dict) -> str | None:
    """The class of a picture of the run, or of one that lies in a folder called like a class."""
    place, root = path.resolve(), Path(config["root"])
    name = place.relative_to(root).as_posix() if place.is_relative_to(root) else ""
    folder = composed(place.parent.name)
    return config["files"].get(name, {}).get("class", folder if folder in config["classes"] else None)


def _looked(
    model: keras.Model,
    files: Sequence[Path],
    pixels: np.ndarray,
    names: Sequence[str],
    class_name: str | None,
    true: Sequence[str | None],
) -> tuple[list[dict], list[Section]]:
    """What is said of each picture, and its section."""
    probabilities = softmax(np.concatenate(list(forward(model, batches_of(pixels)))).astype(np.float64), axis=1)
    best = probabilities.argmax(axis=1)
    classes = best if class_name is None else np.full(len(files), names.index(class_name))
    rows, sections = [], []
    for number, (path, seen) in enumerate(zip(files, explain_sections.look(model, pixels, classes))):
        values = probabilities[number]
        said = dict(
            file=str(path),
            true=true[number],
            predicted=names[best[number]],
            probability=float(values[best[number]]),
            explained=names[classes[number]],
            method=seen.method,
            agreement=seen.agreement,
        )
        title = f"{path.name}: {said['predicted']} ({percent(said['probability'])})"
        if said["true"] is not None:
            title += ", rightly" if said["true"] == said["predicted"] else f", but it is {said['true']}"
        if said["explained"] != said["predicted"]:
            title += f"; what speaks for {said['explained']} ({percent(values[classes[number]])})"
        rows.append(said)
        sections.append(explain_sections.looked(pixels[number], seen, number + 1, title))
    return rows, sections


def _opened(model: keras.Model, config: dict, picture: np.ndarray, layers: Sequence[str]) -> list[Section]:
    """The sections on the layers themselves."""
    sections = [explain_sections.feature_maps(model, picture, layers)]
    try:
        filters = first_layer_images(model)
    except TransferError:
        return sections  # a first layer that does not see three colours has no image
    is_dense = explain_sections.is_dense(open_network(model).first_weighted())
    sections.append(explain_sections.first_layer(filters, _other_filters(model, config), is_dense))
    if not is_dense:
        sections.append(explain_sections.edges(model, picture, filters))
    return sections


def _other_filters(model: keras.Model, config: dict) -> dict[str, np.ndarray]:
    """The first layer before training, where it can be had, and that of the bundled backbone."""
    options = config["options"]
    others = {}
    if options["method"] == "scratch":
        if options["weights"] == "none":
            others["before training, made again from the seed"] = first_layer_before_training(model, options["seed"])
        others["the bundled backbone, pretrained"] = first_layer_images(backbones.load_backbone("bundled"))
    elif options["method"] == "finetune" and (asked := asked_for(options)):
        name, weights, _ = asked  # the first layer is the same, whatever is taken from those behind it
        try:
            before = backbones.load_backbone(name, options["image_size"], weights)
        except TransferError:
            return {}  # its weights are no longer on this machine
        others["before fine-tuning"] = first_layer_images(before)
    return others


def _examples(model: keras.Model, config: dict, folder: str | Path | None) -> tuple[np.ndarray, str]:
    """(pictures `(N, S, S, 3)` that may excite units, what they are); those that cannot be read are left out."""
    if folder is not None:
        paths, source = list_files([folder]), f"pictures of {Path(folder).name}"
    else:
        root = Path(config["root"])
        paths = [root / name for name, file in config["files"].items() if file["part"] == "train"]
        paths, source = [path for path in paths if path.is_file()], "training pictures"
    read = []
    for path in spread(paths, MOST_EXAMPLES):
        try:
            read.append(_pixels(path, model, config))
        except PictureError:
            continue
    return np.array(read, np.uint8), source


def _pixels(path: Path, model: keras.Model, config: dict) -> np.ndarray:
    try:
        return read_fitted(path, model.input_shape[1], config["options"]["fit"], levels=config.get("levels"))
    except PictureError as error:
        raise PictureError(f"{path} {error}; expected a picture") from error


def _write(folder: Path, overwrite: bool, sections: Sequence[Section], title: str, about: str) -> list[str]:
    """Write the page and its plates; returns the names of the files."""
    with whole_folder(folder, overwrite, (PAGE,)) as partial:
        addresses = {}
        for plate in (plate for section in sections for plate in section.plates):
            drawing.write_png(plate.image, partial / f"{plate.name}.png")
            addresses[plate.name] = drawing.data_address(plate.image, QUALITY)
        page = render(PAGE, title=title, about=about, sections=sections, addresses=addresses)
        (partial / PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")
        return sorted(path.name for path in partial.iterdir())
