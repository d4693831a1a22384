"""`transfer augment`: training pictures as a network will see them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer import settings
from transfer.cli import option_groups as group
from transfer.cli import options as option
from transfer.cli.places import page_place
from transfer.cli.records import with_records
from transfer.cli.show import print_json, show_line, show_notes
from transfer.cli.typed import refuse_idle_options
from transfer.free_places import check_unwritten
from transfer.names import check_augmented


@with_records
def augment(
    context: typer.Context,
    *,
    data: option.Data,
    changing: group.Changing,
    groups: option.Groups = None,
    max_size: option.MaxSize = settings.MAX_SIZE,
    most_megapixels: option.MostMegapixels = None,
    page: Annotated[Path, typer.Option("--out", help="page to write")] = Path("augmented.html"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a page that is there")] = False,
    as_json: option.Json = False,
) -> None:
    """Show training pictures as the network will see them.

    It shows what each preset of --augment makes of them.
    """
    check_augmented(changing.method)
    training, presets = changing.training(), changing.presets()
    refuse_idle_options(context, training, [changing.method])
    check_unwritten(page, overwrite)
    context.with_resource(page_place(page, data))
    images = transfer.load_images(data, groups, max_size=max_size)
    split = transfer.split(images, training.seed)
    told = transfer.write_augmented_page(
        images, split, page, changing.method, training, presets, changing.pictures, changing.draws
    )
    notes = [*split.notes, *told]
    if as_json:
        return print_json({"page": str(page), "presets": list(presets), "notes": notes})
    show_notes(notes)
    show_line(str(page))
