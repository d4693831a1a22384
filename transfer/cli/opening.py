"""`transfer explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import option_groups as group
from transfer.cli import options as option
from transfer.cli.doors import check_layer
from transfer.cli.places import place_for
from transfer.cli.records import with_records
from transfer.cli.show import print_json, show_line
from transfer.cli.typed import refuse_idle_options
from transfer.errors import unknown_name
from transfer.reading import run_config, trained_on
from transfer.runs.prediction import list_files


@with_records
def explain(
    context: typer.Context,
    *,
    run: option.Run,
    pictures: option.PictureFiles,
    class_name: Annotated[str | None, typer.Option("--class", help="to explain [default: the predicted one]")] = None,
    layer: Annotated[
        str | None, typer.Option(help="whose feature maps to show [default: the last of each size]")
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(help="folder of pictures that may excite units [default: the run's training pictures]"),
    ] = None,
    most_megapixels: option.MostMegapixels = None,
    output: group.Output,
) -> None:
    """Show where a network looked, and what its layers find.

    The page has the pictures that excite its units, too.
    """
    refuse_idle_options(context)
    config = run_config(run)
    if class_name is not None and class_name not in config["classes"]:
        raise unknown_name("`class_name`", class_name, config["classes"])
    if layer is not None:
        check_layer(run, layer)
    place = context.with_resource(
        place_for(output.out_folder, str(run), "explain", output.overwrite, ("explain.html",), trained_on(config))
    )
    list_files(pictures)  # what is missing is said before TensorFlow is loaded
    told = transfer.explain(run, pictures, place, class_name, layer, examples, output.overwrite)
    if output.as_json:
        return print_json(told)
    for row in told["pictures"]:
        agreement = "-" if row["agreement"] is None else f"{row['agreement']:.2f}"
        wrong = f" (it is {row['true']})" if row["true"] not in (None, row["predicted"]) else ""
        show_line(
            f"{row['file']}  {row['predicted']} {row['probability']:.1%}{wrong}, explained: {row['explained']}; "
            f"{row['method']} and occlusion correlate by {agreement}"
        )
    show_line(f"{told['page']} and its {len(told['files']) - 1} plates")
