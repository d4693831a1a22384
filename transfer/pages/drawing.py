"""Arrays to pictures for a page: maps over pictures, tiles of filters and feature maps; nothing is computed."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

from transfer.writing import whole_file

GAP, PAPER = 2, 128  # pixels between tiles, and their grey: legible on a light page and on a dark one


def overlay(picture: np.ndarray, heat: np.ndarray, colours: str = "inferno", strength: float = 0.6) -> np.ndarray:
    """Lay a map over a picture: the grey picture where it is 0, its colours where it is 1.

    Args:
        picture: `(H, W, 3)` 0..255.
        heat: `(H, W)` 0..1.
        colours: a colour map of Matplotlib.
        strength: share of the colours where `heat` is 1.

    Returns:
        `(H, W, 3)` uint8.
    """
    grey = np.repeat(picture.mean(axis=-1, keepdims=True), 3, axis=-1)
    painted = 255 * matplotlib.colormaps[colours](np.clip(heat, 0, 1))[..., :3]
    share = strength * np.sqrt(np.clip(heat, 0, 1))[..., None]
    return ((1 - share) * grey + share * painted).round().astype(np.uint8)


def coloured(maps: np.ndarray, colours: str = "viridis") -> np.ndarray:
    """Colour maps `(N, H, W)`, each from its lowest value to its highest: `(N, H, W, 3)` uint8."""
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    spread = np.where(high > low, high - low, 1)
    return (255 * matplotlib.colormaps[colours]((maps - low) / spread)[..., :3]).round().astype(np.uint8)


def tiles(
    images: np.ndarray | Sequence[np.ndarray], columns: int = 8, side: int | None = None, paper: int = PAPER
) -> np.ndarray:
    """Lay images out in rows.

    Args:
        images: `(N, H, W, 3)`, uint8 or float 0..1.
        columns: images in a row.
        side: the least height of an image in pixels: smaller ones are enlarged by a whole number, so that
            every pixel stays a square.
        paper: the grey between images, 0..255.

    Returns:
        `(height, width, 3)` uint8.
    """
    images = _in_bytes(np.asarray(images))
    scale = max(1, -(-side // images.shape[1])) if side else 1
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    number, height, width, _ = images.shape
    columns = min(columns, number)
    rows = -(-number // columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), paper, np.uint8)
    for position, image in enumerate(images):
        top, left = position // columns * (height + GAP), position % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    return sheet


def enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """Bring an image `(H, W, 3)`, uint8 or float 0..1, to `side x side` pixels without smoothing."""
    return np.asarray(Image.fromarray(_in_bytes(image)).resize((side, side), Image.Resampling.NEAREST))


def data_address(image: np.ndarray, quality: int) -> str:
    """An image `(H, W, 3)` uint8 as a WebP of some quality 0..100 in an address that a page can hold in itself."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=quality)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def thumbnail(picture: np.ndarray, side: int, quality: int) -> str:
    """The same of a picture that is made no wider or higher than `side` pixels."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    return data_address(np.asarray(image), quality)


def write_png(image: np.ndarray, path: Path) -> None:
    """Write `(H, W, 3)` uint8 as a PNG file."""
    with whole_file(path) as partial:
        Image.fromarray(image).save(partial, "PNG", optimize=True)


def _in_bytes(images: np.ndarray) -> np.ndarray:
    return images if images.dtype == np.uint8 else (255 * np.clip(images, 0, 1)).round().astype(np.uint8)
