"""Pictures and their nearest ones as a self-contained page of thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transfer.data.images import read_small
from transfer.errors import PictureError
from transfer.pages.drawing import data_address
from transfer.pages.rendering import render
from transfer.runs.picture_features import PictureFeatures
from transfer.runs.similar_pictures import SimilarPictures
from transfer.writing import whole_file

PAGE = "similar.html"
# Pixels of a picture by how many the page has at most, so that it stays below some MB.
SIDES = ((200, 256), (800, 128), (float("inf"), 64))
QUALITY = 75  # of thumbnails, 0..100


def write_similar_page(rows: Sequence[SimilarPictures], found: PictureFeatures, folder: str | Path) -> Path:
    """Write `similar.html`, which needs nothing else: each picture, and beside it those that are most like it.

    Args:
        rows: from `find_similar`, of files.
        found: where they were looked for.
        folder: made if missing.

    Returns:
        The path of the page.
    """
    files = list(dict.fromkeys(file for row in rows for file in (row.file, *(near.file for near in row.nearest))))
    side = next(side for most, side in SIDES if len(files) <= most)
    with ThreadPoolExecutor() as pool:
        thumbnails = dict(zip(files, pool.map(lambda file: _thumbnail(file, side, found), files)))
    names = dict(zip(map(str, found.paths), found.files))
    about = f"{len(found.files):,} pictures of {len(found.class_names)} classes, seen by {found.about}"
    target = Path(folder) / PAGE
    with whole_file(target) as partial:
        page = render(
            PAGE,
            title="Similar pictures",
            about=about,
            rows=rows,
            titles={row.file: Path(row.file).name for row in rows},
            names=names,
            thumbnails=thumbnails,
        )
        partial.write_text(page, encoding="utf-8", errors="backslashreplace")
    return target


def _thumbnail(file: str, side: int, found: PictureFeatures) -> str:
    try:
        return data_address(read_small(file, side, found.levels), QUALITY)
    except PictureError:  # of which the page says so
        return ""
