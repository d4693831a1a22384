"""Pictures whose answer was corrected, kept as `class/picture`: a folder that `transfer train` takes."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path, PurePosixPath

from transfer.data.folder_files import is_hidden
from transfer.data.part_names import is_plain_part
from transfer.data.picture_files import check_picture, digest_of, opened
from transfer.data.tables import composed
from transfer.errors import OutputError, PictureError
from transfer.serving.refusals import Refusal
from transfer.writing import whole_file

ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "HEIF": ".heic", "TIFF": ".tif"}  # others are called like their format
LONGEST, STEM = 100, 40  # bytes of a class name, and letters that are kept of a file's name
KNOWN_BY = 16  # hexadecimal digits of a picture's digest in its name


def keep_corrected(folder: Path, name: str, data: bytes, class_name: str) -> str:
    """Write a picture into the folder of its class; in the folder of another class it is no longer.

    The name of the file is made of letters and digits of the one that was sent, and of its digest: the same picture is
    kept once.

    Args:
        folder: of all corrected pictures.
        name: of the file, as it was sent.
        data: its bytes.
        class_name: that the picture shows; it may be a new one.

    Returns:
        Where it is, below `folder`.

    Raises:
        Refusal: 400, a name that is no class, or no picture; 507, it cannot be written.
    """
    label = composed(class_name.strip())
    _check_class(label)
    try:
        check_picture(data)
        with opened(data) as image:
            ending = ENDINGS.get(image.format, f".{image.format.lower()}")
    except PictureError as error:
        raise Refusal(400, f"the picture {error}") from error
    known_by = digest_of(data)[:KNOWN_BY]
    stem = re.sub(r"[^\w-]+", "_", PurePosixPath(name.replace("\\", "/")).stem).strip("_")[:STEM]
    place = folder / label / f"{stem or 'picture'}-{known_by}{ending}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(place) as partial:
            partial.write_bytes(data)
        for other in folder.glob(f"*/*-{known_by}.*"):
            if other != place:
                other.unlink()
                with suppress(OSError):  # other pictures are in it
                    other.parent.rmdir()
    except (OutputError, OSError) as error:
        raise Refusal(507, f"the picture could not be kept ({error})") from error
    return place.relative_to(folder).as_posix()


def _check_class(label: str) -> None:
    odd = not label or len(label.encode()) > LONGEST or not label.isprintable() or set(label) & set('/\\:*?"<>|')
    if odd or is_hidden(label) or is_plain_part(label) or label.endswith("."):
        raise Refusal(
            400,
            f'{label!r} cannot be the name of a class; expected a word or a few, without / \\ : * ? " < > | and no dot '
            "at either end, and not train, validation or test",
        )
