"""`transfer train` and `transfer compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import options as option
from transfer.cli.again import data_of, refuse_other_options
from transfer.cli.data import refuse, show_findings
from transfer.cli.evidence import chosen_backbone, curve_sizes, show_evidence
from transfer.cli.places import free_place
from transfer.cli.show import (
    command_line,
    methods_table,
    one_line,
    out,
    print_json,
    progress,
    read_result,
    show_notes,
    show_place,
)
from transfer.errors import OptionError, unknown_name

KEPT_TOGETHER = ("near-duplicates",)


def train(
    context: typer.Context,
    data: option.DataOrNone = None,
    backbone: option.Backbone = "bundled",
    method: Annotated[str, typer.Option(help="frozen, finetune or scratch")] = "frozen",
    head: option.Head = "linear",
    weights: option.Weights = None,
    image_size: option.ImageSize = None,
    groups: option.Groups = None,
    keep_together: option.Together = None,
    split_file: option.WrittenSplit = None,
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
    strict: option.Strict = False,
    folds: option.Folds = None,
    repeats: option.Repeats = 1,
    again: option.Again = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help=option.OUT_HELP)] = None,
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
) -> None:
    """Retrain on a folder of pictures and write a run with its SavedModel."""
    if again is not None:
        refuse_other_options(context)
        place = free_place(out_folder, data or data_of(again), "again", overwrite)
        return _finish(transfer.repeat_run(again, data), place, overwrite, as_json)
    if data is None:
        raise OptionError("DATA is missing; expected a folder of class folders, or --from a run to repeat")
    place = free_place(out_folder, data, method, overwrite)
    for name, value in (("--split", split_file), ("--per-class", per_class)):
        if folds is not None and value is not None:
            raise OptionError(f"--folds {folds} with {name} {value}; folds divide all pictures anew, leave one away")
    images, split, findings = _load(data, groups, seed, per_class, split_file, keep_together, strict)
    fold_splits = transfer.folds(images, folds, seed, repeats) if folds is not None else []
    own = method == "scratch" and (layers or backbone == "bundled")
    options = dict(
        backbone=None if own else backbone, method=method, head=head, layers=_layer_rows(layers),
        image_size=image_size, weights=weights, fit=fit.value, seed=seed, epochs=epochs, learning_rate=learning_rate,
        label_smoothing=label_smoothing, class_weights=class_weights, hidden=_numbers(hidden), dropout=dropout,
        activation=activation, flip=flip, refit=per_class is None,
    )  # fmt: skip
    also = [transfer.cross_validate(images, fold_splits, **options)] if fold_splits else []
    _finish(transfer.train(images, split, **options), place, overwrite, as_json, also, split.notes, findings)


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
    keep_together: option.Together = None,
    split_file: option.WrittenSplit = None,
    seed: option.Seed = 0,
    fit: option.FitOption = option.Fit.crop,
    per_class: option.PerClass = None,
    epochs: option.Epochs = None,
    class_weights: option.ClassWeights = None,
    flip: option.Flip = True,
    layers: option.Layers = None,
    learning_curve: option.Curve = False,
    sizes: option.Sizes = None,
    draws: option.Draws = 3,
    backbones: option.Backbones = None,
    strict: option.Strict = False,
    out_folder: Annotated[Path | None, typer.Option("--out", help=option.OUT_HELP)] = None,
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
) -> None:
    """Pretrained against fine-tuned, from scratch and a plain dense network, on the same split."""
    place = free_place(out_folder, data, "compare", overwrite)
    images, split, findings = _load(data, groups, seed, per_class, split_file, keep_together, strict)
    names, also = [name.strip() for name in methods.split(",")], []
    shared = dict(image_size=image_size, fit=fit.value, seed=seed)
    if backbones is not None:
        choice, backbone, weights = chosen_backbone(images, split, backbones, backbone, weights, **shared)
        also.append(choice)
    options = dict(
        **shared, weights=weights, layers=_layer_rows(layers), head=head, epochs=epochs, class_weights=class_weights,
        flip=flip,
    )  # fmt: skip
    if learning_curve:  # first, so that sizes that cannot be are refused before hours of work
        curved = [name for name in names if name != "dense"]
        also.append(transfer.learning_curve(images, split, backbone, curved, curve_sizes(sizes), draws, **options))
    comparison = transfer.compare(images, split, backbone, names, **options)
    transfer.save_run(comparison, place, command_line(), overwrite, also, findings)
    figures = read_result(place)
    if as_json:
        return print_json(figures)
    show_evidence(also)
    out.print(methods_table(figures["methods"]))
    for sentence in figures["in_words"]:
        out.print(f"- {sentence}")
    show_place(place)


def _finish(result, place: Path, overwrite: bool, as_json: bool, also=(), told=(), findings=None) -> None:
    transfer.save_run(result, place, command_line(), overwrite, also, findings)
    figures = read_result(place)
    show_notes(figures["notes"], already=told)
    if as_json:
        return print_json(figures)
    out.print(methods_table({result.method: figures}))
    for more in also:
        show_notes(more.in_words())
    show_place(place)


def _load(
    data: str,
    groups: str | None,
    seed: int,
    per_class: int | None,
    split_file: Path | None = None,
    keep_together: str | None = None,
    strict: bool = False,
):
    from transfer.checks.checking import quick_findings

    images = transfer.load_images(data, groups)
    findings = transfer.check(images).findings if strict else quick_findings(images)
    if strict:
        refuse(findings)
    if keep_together is not None:
        if keep_together not in KEPT_TOGETHER:
            raise unknown_name("--keep-together", keep_together, KEPT_TOGETHER)
        images = transfer.keep_together(images)
    split = transfer.split(images, seed) if split_file is None else transfer.read_split(images, split_file)
    if per_class is not None:
        split = transfer.limit_training(split, images.labels, per_class, seed)
    parts = ", ".join(f"{len(indices)} {part}" for part, indices in split.parts().items())
    progress.print(f"{len(images)} pictures of {len(images.class_names)} classes: {parts}", markup=False)
    if images.ignored:
        progress.print(f"{images.ignored} other files ignored")
    for name, reason in images.unreadable:
        progress.print(one_line(f"left out: {name} {reason}"), markup=False)
    show_findings(findings)
    show_notes(split.notes)
    return images, split, findings


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
