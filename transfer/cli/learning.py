"""`transfer train` and `transfer compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer import quiet
from transfer.cli import options as option
from transfer.cli.again import refuse_other_options
from transfer.cli.evidence import chosen_backbone, curve_sizes, show_evidence
from transfer.cli.loading import layer_rows, load, whole_numbers
from transfer.cli.places import place_for
from transfer.cli.show import (
    command_line,
    methods_table,
    out,
    print_json,
    read_evidence,
    read_result,
    show_line,
    show_notes,
    show_place,
)
from transfer.cli.typed import names_in, refuse_idle_options, refuse_unbuildable, refuse_unusable, typed_options
from transfer.errors import OptionError
from transfer.method_names import COMPARED, METHODS
from transfer.reading import run_config, trained_on


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
    validation: option.ValidationShare = None,
    test: option.TestShare = None,
    seed: option.Seed = 0,
    fit: option.FitOption = option.Fit.crop,
    per_class: option.PerClass = None,
    epochs: option.Epochs = None,
    learning_rate: option.LearningRate = None,
    batch_size: option.BatchSize = None,
    label_smoothing: option.Smoothing = None,
    class_weights: option.ClassWeights = None,
    hidden: option.Hidden = "256",
    dropout: option.Dropout = 0.3,
    activation: option.Activation = "relu",
    flip: option.Flip = True,
    share: option.Share = None,
    train_batch_norm: option.TrainBatchNorm = False,
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
        place = context.with_resource(place_for(out_folder, data or trained_on(run_config(again)), "again", overwrite))
        return _finish(transfer.repeat_run(again, data, _train_once), place, overwrite, as_json)
    if data is None:
        raise OptionError("DATA is missing; expected a folder of class folders, or --from a run to repeat")
    refuse_idle_options(context)
    shares = {"validation": validation, "test": test}
    undivided = {"--split": split_file, "--per-class": per_class, "--validation": validation, "--test": test}
    for name, value in undivided.items():
        if folds is not None and value is not None:
            raise OptionError(f"--folds {folds} with {name} {value}; folds divide all pictures anew, leave one away")
    own = method == "scratch" and "backbone" not in typed_options(context)
    options = dict(
        backbone=None if own else backbone, method=method, head=head, layers=layer_rows(layers),
        image_size=image_size, weights=weights, fit=fit.value, seed=seed, epochs=epochs, learning_rate=learning_rate,
        label_smoothing=label_smoothing, class_weights=class_weights, hidden=whole_numbers("--hidden", hidden),
        dropout=dropout, activation=activation, flip=flip, share=share, train_batch_norm=train_batch_norm,
        batch_size=batch_size, refit=per_class is None,
    )  # fmt: skip
    refuse_unusable([method], METHODS, options)
    place = context.with_resource(place_for(out_folder, data, method, overwrite))
    images, split, findings = load(data, groups, seed, per_class, split_file, keep_together, strict, shares)
    fold_splits = transfer.folds(images, folds, seed, repeats) if folds is not None else []
    also = [transfer.cross_validate(images, fold_splits, **options)] if fold_splits else []
    _finish(_train_once(images, split, **options), place, overwrite, as_json, also, split.notes, findings)


def compare(
    context: typer.Context,
    data: option.Data,
    backbone: option.Backbone = "bundled",
    methods: Annotated[str, typer.Option(help=f"some of {','.join(COMPARED)}")] = ",".join(COMPARED),
    head: option.Head = "linear",
    weights: option.Weights = None,
    image_size: option.ImageSize = None,
    groups: option.Groups = None,
    keep_together: option.Together = None,
    split_file: option.WrittenSplit = None,
    validation: option.ValidationShare = None,
    test: option.TestShare = None,
    seed: option.Seed = 0,
    fit: option.FitOption = option.Fit.crop,
    per_class: option.PerClass = None,
    epochs: option.Epochs = None,
    learning_rate: option.LearningRate = None,
    batch_size: option.BatchSize = None,
    label_smoothing: option.Smoothing = None,
    class_weights: option.ClassWeights = None,
    hidden: option.Hidden = "256",
    dropout: option.Dropout = 0.3,
    activation: option.Activation = "relu",
    flip: option.Flip = True,
    share: option.Share = None,
    train_batch_norm: option.TrainBatchNorm = False,
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
    refuse_idle_options(context)
    names, also = names_in(methods), []
    shared = dict(image_size=image_size, fit=fit.value, seed=seed)
    shares = {"validation": validation, "test": test}
    options = dict(
        **shared, layers=layer_rows(layers), head=head, epochs=epochs, learning_rate=learning_rate,
        label_smoothing=label_smoothing, class_weights=class_weights, hidden=whole_numbers("--hidden", hidden),
        dropout=dropout, activation=activation, flip=flip, share=share, train_batch_norm=train_batch_norm,
        batch_size=batch_size,
    )  # fmt: skip
    refuse_unusable(names, COMPARED, options)
    place = context.with_resource(place_for(out_folder, data, "compare", overwrite))
    images, split, findings = load(data, groups, seed, per_class, split_file, keep_together, strict, shares)
    if learning_curve:  # first, so that sizes that cannot be are refused before hours of work
        per_draw = curve_sizes(sizes, images, split)
    if backbones is not None:
        refuse_unbuildable(images, options)
        choice, backbone, weights = chosen_backbone(images, split, backbones, backbone, weights, **shared)
        also.append(choice)
    comparison = transfer.compare(images, split, backbone, names, weights=weights, **options)
    show_notes(dict.fromkeys(note for result in comparison.values() for note in result.notes), already=split.notes)
    if learning_curve:  # the points of all pictures are those of the comparison
        curved = [name for name in names if name in METHODS]
        curve = transfer.learning_curve(images, split, backbone, curved, per_draw, draws, weights=weights, **options)
        also.append(curve)
    transfer.save_run(comparison, place, command_line(), overwrite, also, findings)
    figures = read_result(place)
    if as_json:
        return print_json(figures | read_evidence(place))
    show_evidence(also)
    out.print(methods_table(figures["methods"]))
    for sentence in figures["in_words"]:
        show_line(f"- {sentence}")
    show_place(place)


def _train_once(*given, **options):
    quiet.import_tensorflow()
    from transfer.runs.kept_results import train_once

    return train_once(*given, **options)


def _finish(result, place: Path, overwrite: bool, as_json: bool, also=(), told=(), findings=None) -> None:
    transfer.save_run(result, place, command_line(), overwrite, also, findings)
    figures = read_result(place)
    show_notes(figures["notes"], already=told)
    if as_json:
        return print_json(figures | read_evidence(place))
    out.print(methods_table({result.method: figures}))
    show_evidence(also)
    show_place(place)
