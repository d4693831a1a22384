"""A check as one self-contained page, on which rows can be marked for `transfer clean`."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transfer.cells import RUN
from transfer.checks.checking import Check
from transfer.checks.cleaning import ACTIONS, COLUMNS, Action, propose_actions
from transfer.checks.findings import Finding
from transfer.data.folders import LabelledImages
from transfer.data.images import read_small
from transfer.errors import PictureError
from transfer.pages.drawing import data_address
from transfer.pages.rendering import render
from transfer.writing import whole_file

PAGE = "check.html"
SHOWN = 60  # sets of a finding on the page
SHOWN_OF_SET = 6  # pictures of a set
# Pixels of a picture by how many the page has at most, so that it stays below 5 MB: few can be looked at enlarged.
SIDES = ((200, 256), (800, 112), (float("inf"), 56))


def write_check_page(check: Check, folder: str | Path) -> Path:
    """Write `check.html`: every finding with thumbnails, and the proposed actions to be edited.

    The page needs no network and works from a `file://` address. What is marked on it is downloaded as
    `clean.csv`, see `cleaning.write_actions`.

    Args:
        check: from `check`.
        folder: made if missing.

    Returns:
        The path of the page.
    """
    sections = [_section(check, finding) for finding in check.findings]
    shown = sorted({index for section in sections for row in section["rows"] for index in row["indices"]})
    figures = sum(len(row["indices"]) for section in sections for row in section["rows"])
    side = next(side for most, side in SIDES if figures <= most)
    with ThreadPoolExecutor() as pool:
        thumbnails = dict(zip(shown, pool.map(lambda i: _thumbnail(check.images, i, side), shown)))
    target, rows = Path(folder) / PAGE, _rows(check, shown)
    with whole_file(target) as partial:
        page = render(
            PAGE,
            title=f"What is in {Path(check.images.data).name}",
            classes=check.images.counts(),
            sections=sections,
            thumbnails=thumbnails,
            names=check.images.names,
            labels=[check.images.class_names[label] for label in check.images.labels],
            rows=rows,
            row_of={row.file: number for number, row in enumerate(rows)},
            class_names=check.images.class_names,
            actions=ACTIONS,
            columns=COLUMNS,
            run=RUN,
            grouped=check.images.groups is not None,
        )
        partial.write_text(page, encoding="utf-8", errors="backslashreplace")
    return target


def _section(check: Check, finding: Finding) -> dict:
    details = finding.details or ("",) * len(finding.sets)
    classes = finding.figures["suggested"] if finding.kind == "suspected labels" else ("",) * len(finding.sets)
    rows = [
        {"indices": indices[:SHOWN_OF_SET], "more": max(0, len(indices) - SHOWN_OF_SET), "detail": detail, "to": label}
        for indices, detail, label in zip(finding.sets[:SHOWN], details, classes)
    ]
    files = list(zip(finding.files, finding.details or ("",) * len(finding.files)))
    hidden = max(0, max(len(finding.sets), len(files)) - SHOWN)
    return {"finding": finding, "rows": rows, "files": files[:SHOWN], "hidden": hidden}


def _rows(check: Check, shown: Iterable[int]) -> list[Action]:
    """The proposed action of every picture with one, and `keep` for the others on the page."""
    images, rows = check.images, {action.file: action for action in propose_actions(check)}
    for index in shown:
        name, label = images.names[index], images.class_names[images.labels[index]]
        group = images.groups[index] if images.groups else ""
        rows.setdefault(name, Action(name, images.digests[index], "keep", label, group, ""))
    return [rows[name] for name in sorted(rows)]


def _thumbnail(images: LabelledImages, index: int, side: int) -> str:
    try:
        return data_address(read_small(images.paths[index], side, images.levels), quality=70)
    except PictureError:  # gone since it was looked at
        return ""
