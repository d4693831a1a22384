"""Real pictures that come inside packages, written out as a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from transfer.errors import MissingExtraError, unknown_name
from transfer.writing import whole_file

Rows = list[tuple[str, str, str, np.ndarray]]  # part, class, file name, pixels
PATCH = 32


def write_demo_data(name: str, folder: Path) -> str:
    """Write one of the demo sets as `train/` and `test/` folders; returns what it is in a sentence.

    Args:
        name: `textures`, `faces` or `digits`.
        folder: written if it does not exist.

    Raises:
        MissingExtraError: scikit-image is not installed.
        OutputError: the folder cannot be written.
    """
    if name not in DEMOS:
        raise unknown_name("`data`", name, DEMOS)
    make, about = DEMOS[name]
    for part, label, file, pixels in make():
        path = folder / part / label / f"{file}.png"
        if not path.exists():
            with whole_file(path, synced=False) as partial:
                Image.fromarray(pixels).save(partial, "PNG")
    return about


def _textures() -> Rows:
    """Patches of 32 pixels; the lower quarter of each photograph is kept for the test."""
    data = _scikit_image_data()
    rows: Rows = []
    for label, photo in (("brick", data.brick()), ("grass", data.grass()), ("gravel", data.gravel())):
        for top in range(0, photo.shape[0], PATCH):
            # One row of patches between both parts is left out, so that no bump of a texture is in both.
            part = "train" if top < photo.shape[0] * 3 // 4 - PATCH else "test"
            if top == photo.shape[0] * 3 // 4 - PATCH:
                continue
            for left in range(0, photo.shape[1], PATCH):
                rows.append((part, label, f"{top:03}-{left:03}", photo[top : top + PATCH, left : left + PATCH]))
    return rows


def _faces() -> Rows:
    pictures = (_scikit_image_data().lfw_subset() * 255).round().astype(np.uint8)
    return [_in_order(i % 100, "face" if i < 100 else "no_face", picture, 60) for i, picture in enumerate(pictures)]


def _digits() -> Rows:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = (digits.images * (255 / 16)).round().astype(np.uint8)
    return [_in_order(i, str(label), picture, 1200) for i, (picture, label) in enumerate(zip(pictures, digits.target))]


def _in_order(number: int, label: str, picture: np.ndarray, train: int) -> tuple[str, str, str, np.ndarray]:
    return ("train" if number < train else "test", label, f"{number:04}", picture)


def _scikit_image_data():
    try:
        from skimage import data
    except ImportError as error:
        raise MissingExtraError(
            'these pictures come with scikit-image, which is not installed; run pip install "transfer[demo]"'
        ) from error
    return data


DEMOS: dict[str, tuple[Callable[[], Rows], str]] = {
    "textures": (_textures, "Patches of three photographs of textures, 32 pixels wide."),
    "faces": (_faces, "Patches with and without a face, 25 pixels wide."),
    "digits": (_digits, "Handwritten digits, 8 pixels wide."),
}
