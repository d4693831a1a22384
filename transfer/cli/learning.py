"""`transfer train` and `transfer compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer import quiet
from transfer.cli import option_groups as group
from transfer.cli import options as option
from transfer.cli.again import refuse_other_options
from transfer.cli.doors import check_asked_backbone, check_candidates, check_needed_memory
from transfer.cli.evidence import chosen_backbone, curve_sizes, show_evidence
from transfer.cli.loading import load
from transfer.cli.next_steps import after_compare, after_train, show_steps
from transfer.cli.places import place_for
from transfer.cli.records import with_records
from transfer.cli.show import (
    command_line,
    methods_table,
    out,
    print_json,
    read_evidence,
    read_result,
    show_caveats,
    show_line,
    show_notes,
    show_place,
    show_settings,
)
from transfer.cli.typed import names_in, refuse_idle_options, refuse_unbuildable, typed_options
from transfer.errors import OptionError
from transfer.learning.options import TrainingOptions, options_of_method
from transfer.names import AUTO, COMPARED, METHODS, check_methods
from transfer.reading import run_config, trained_on


@with_records
def train(
    context: typer.Context,
    *,
    data: option.DataOrNone = None,
    reading: group.Reading,
    backbone: option.Backbone = AUTO,
    method: Annotated[str, typer.Option(help="frozen, finetune or scratch", rich_help_panel="Training")] = "frozen",
    training: TrainingOptions,
    again: option.Again = None,
    folds: option.Folds = None,
    repeats: option.Repeats = 1,
    explain_settings: option.ExplainSettings = False,
    output: group.Output,
) -> None:
    """Retrain a network on a folder of pictures.

    It writes a run: figures, a report, and a SavedModel.
    """
    if again is not None:
        refuse_other_options(context)
        where = data or trained_on(run_config(again))
        place = context.with_resource(place_for(output.out_folder, where, "again", output.overwrite))
        return _finish(transfer.repeat_run(again, data, _train_once, reading.max_size), place, output)
    if data is None:
        raise OptionError("DATA is missing; expected a folder of class folders, or --from a run to repeat")
    check_methods([method])
    refuse_idle_options(context, training, [method])
    check_needed_memory(training)
    undivided = {"--split": reading.split_file, "--per-class": reading.per_class}
    for name, value in (undivided | {f"--{part}": share for part, share in reading.shares().items()}).items():
        if folds is not None and value is not None and (name, value) != ("--test", 0):
            raise OptionError(f"--folds {folds} with {name} {value}; folds divide all pictures anew, leave one away")
    network = None if method == "scratch" and "backbone" not in typed_options(context) else backbone
    if network is not None:
        check_asked_backbone(network, training, [method])
    training = replace(training, refit=reading.per_class is None)
    if explain_settings:
        typed = typed_options(context)
        if idle := [typed[name] for name in ("out_folder", "overwrite", "folds", "repeats") if name in typed]:
            raise OptionError(
                f"{', '.join(idle)} with --explain-settings, which trains and writes nothing; leave it away"
            )
        images, split, _ = load(data, reading, training)
        return show_settings(transfer.explain_settings(images, split, network, method, training), output.as_json)
    place = context.with_resource(place_for(output.out_folder, data, method, output.overwrite))
    images, split, findings = load(data, reading, training)
    also = []
    if folds is not None:
        divided = transfer.folds(images, folds, training.seed, repeats)
        also.append(transfer.cross_validate(images, divided, network, method, training))
    _finish(_train_once(images, split, network, method, training), place, output, also, split.notes, findings)


@with_records
def compare(
    context: typer.Context,
    *,
    data: option.Data,
    reading: group.Reading,
    backbone: option.Backbone = AUTO,
    methods: Annotated[str, typer.Option(help=f"some of {','.join(COMPARED)}", rich_help_panel="Training")] = ",".join(
        COMPARED
    ),
    training: TrainingOptions,
    learning_curve: option.Curve = False,
    sizes: option.Sizes = None,
    draws: option.Draws = 3,
    backbones: option.Backbones = None,
    output: group.Output,
) -> None:
    """Compare pretrained networks with ones from scratch.

    Frozen, fine-tuned, from scratch and a plain dense network are trained on the same split.
    """
    names, also = names_in(methods), []
    check_methods(names, COMPARED)
    refuse_idle_options(context, training, names)
    check_needed_memory(training)
    if backbones is None:
        check_asked_backbone(backbone, training, names)
    else:
        check_candidates(backbones, training)
    place = context.with_resource(place_for(output.out_folder, data, "compare", output.overwrite))
    images, split, findings = load(data, reading, training)
    if learning_curve:  # first, so that sizes that cannot be are refused before hours of work
        per_draw = curve_sizes(sizes, images, split)
    if backbones is not None:
        refuse_unbuildable(images, training)
        choice, backbone, weights = chosen_backbone(images, split, backbones, backbone, training)
        training = replace(training, weights=weights)
        also.append(choice)
    comparison = transfer.compare(images, split, backbone, names, training)
    noted = dict.fromkeys(note for result in comparison.values() for note in result.notes)
    show_notes(noted, already=split.notes)
    if learning_curve:  # the points of all pictures are those of the comparison
        curved = [name for name in names if name in METHODS]
        if len(curved) == 1:
            training = options_of_method(training, curved[0], names)
        also.append(transfer.learning_curve(images, split, backbone, curved, per_draw, draws, training))
    transfer.save_run(comparison, place, command_line(), output.overwrite, also, findings)
    figures = read_result(place)
    if output.as_json:
        return print_json(figures | read_evidence(place))
    show_evidence(also, already=[*noted, *split.notes])
    out.print(methods_table(figures["methods"]))
    show_caveats(figures)
    show_line("- the network of this run is the {method} one, because {because}".format(**figures["chosen"]))
    for sentence in figures["in_words"]:
        show_line(f"- {sentence}")
    show_place(place)
    show_steps(after_compare(comparison, place))


def _train_once(*given, **options):
    quiet.import_tensorflow()
    from transfer.runs.kept_results import train_once

    return train_once(*given, **options)


def _finish(result, place: Path, output: group.Output, also=(), told=(), findings=None) -> None:
    transfer.save_run(result, place, command_line(), output.overwrite, also, findings)
    figures = read_result(place)
    show_notes(figures["notes"], already=told)
    if output.as_json:
        return print_json(figures | read_evidence(place))
    out.print(methods_table({result.method: figures}))
    show_caveats(figures)
    show_evidence(also, already=[*figures["notes"], *told])
    show_place(place)
    show_steps(after_train(result, place, also))
