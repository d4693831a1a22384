"""`transfer train` and `transfer compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import options as option
from transfer.cli.show import (
    command_line,
    methods_table,
    out,
    print_json,
    progress,
    read_result,
    show_notes,
    show_place,
)
from transfer.errors import OptionError, OutputError


def train(
    data: option.Data,
    backbone: option.Backbone = "bundled",
    method: Annotated[str, typer.Option(help="frozen, finetune or scratch")] = "frozen",
    head: option.Head = "linear",
    weights: option.Weights = None,
    image_size: option.ImageSize = None,
    groups: option.Groups = None,
    seed: option.Seed = 0,
    fit: option.FitOption = option.Fit.crop,
    per_class: option.PerClass = None,
    epochs: option.Epochs = None,
    learning_rate: option.LearningRate = None,
    label_smoothing: option.Smoothing = None,
    class_weights: option.ClassWeights = None,
    hidden: option.Hidden = "256",
    dropout: option.Dropout = 0.3,
    activation: option.Activation = "relu",
    flip: option.Flip = True,
    layers: option.Layers = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help=option.OUT_HELP)] = None,
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
) -> None:
    """Retrain on a folder of pictures and write a run with its SavedModel."""
    place = _place(out_folder, data, method, overwrite)
    images, split = _load(data, groups, seed, per_class)
    own = method == "scratch" and (layers or backbone == "bundled")
    result = transfer.train(
        images, split, None if own else backbone, method, head, layers=_layer_rows(layers), image_size=image_size,
        weights=weights, fit=fit.value, seed=seed, epochs=epochs, learning_rate=learning_rate,
        label_smoothing=label_smoothing, class_weights=class_weights, hidden=_numbers(hidden), dropout=dropout,
        activation=activation, flip=flip, refit=per_class is None,
    )  # fmt: skip
    transfer.save_run(result, place, command_line(), overwrite)
    figures = read_result(place)
    if as_json:
        return print_json(figures)
    show_notes(figures["notes"], already=split.notes)
    out.print(methods_table({method: figures}))
    show_place(place)


def compare(
    data: option.Data,
    backbone: option.Backbone = "bundled",
    methods: Annotated[
        str, typer.Option(help="some of frozen,finetune,scratch,dense")
    ] = "frozen,finetune,scratch,dense",
    head: option.Head = "linear",
    weights: option.Weights = None,
    image_size: option.ImageSize = None,
    groups: option.Groups = None,
    seed: option.Seed = 0,
    fit: option.FitOption = option.Fit.crop,
    per_class: option.PerClass = None,
    epochs: option.Epochs = None,
    class_weights: option.ClassWeights = None,
    flip: option.Flip = True,
    layers: option.Layers = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help=option.OUT_HELP)] = None,
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
) -> None:
    """Pretrained against fine-tuned, from scratch and a plain dense network, on the same split."""
    place = _place(out_folder, data, "compare", overwrite)
    images, split = _load(data, groups, seed, per_class)
    comparison = transfer.compare(
        images, split, backbone, [name.strip() for name in methods.split(",")], image_size=image_size,
        weights=weights, fit=fit.value, seed=seed, layers=_layer_rows(layers), head=head, epochs=epochs,
        class_weights=class_weights, flip=flip,
    )  # fmt: skip
    transfer.save_run(comparison, place, command_line(), overwrite)
    figures = read_result(place)
    if as_json:
        return print_json(figures)
    out.print(methods_table(figures["methods"]))
    for sentence in figures["in_words"]:
        out.print(f"- {sentence}")
    show_place(place)


def _load(data: str, groups: Path | None, seed: int, per_class: int | None):
    images = transfer.load_images(data, groups)
    split = transfer.split(images, seed)
    if per_class is not None:
        split = transfer.limit_training(split, images.labels, per_class, seed)
    parts = ", ".join(f"{len(indices)} {part}" for part, indices in split.parts().items())
    progress.print(f"{len(images)} pictures of {len(images.class_names)} classes: {parts}", markup=False)
    if images.ignored:
        progress.print(f"{images.ignored} other files ignored")
    for name, reason in images.unreadable:
        progress.print(f"left out: {name} {reason}", markup=False)
    show_notes(split.notes)
    return images, split


def _place(folder: Path | None, data: str, what: str, overwrite: bool) -> Path:
    """The folder to write, checked before any work is done."""
    from transfer.writing import check_free

    if folder is not None:
        check_free(folder, overwrite)
        return folder
    name = Path(data.rstrip("/")).name.split(".")[0] or "run"
    stem = Path("runs", f"{name}-{what}")
    numbered = (stem.with_name(f"{stem.name}-{number}") for number in range(2, 10_000))
    free = next((path for path in (stem, *numbered) if not path.exists()), None)
    if free is None:
        raise OutputError(f"{stem} and 10,000 numbered ones exist; give --out")
    return free


def _layer_rows(path: Path | None) -> list[dict] | None:
    if path is None:
        return None
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--layers {path} cannot be read ({error}); expected a JSON list of rows") from error
    if not isinstance(rows, list):
        raise OptionError(f'--layers {path} holds no list; expected rows such as [{{"conv": 32}}, {{"pool": 2}}]')
    return rows


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise OptionError(f"--hidden {text}; expected whole numbers such as 256,128") from error
