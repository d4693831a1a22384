"""A picture as Pillow opens it to upright RGB pixels of 8 bits.

Colour profiles of RGB pictures are ignored, as in every network's own training; CMYK is converted
by its profile where it has one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageCms

from transfer.data.levels import Levels, bands, kind_of, level_of, value_bands
from transfer.data.orientation import TURNS, orientation


def upright_rgb(image: Image.Image, levels: Levels | None = None) -> Image.Image:
    """An opened picture in mode `RGB`, with the pixels that `read_picture` returns; the same object if it is so."""
    image.load()  # in a PNG, what says how it stands may lie behind the pixels
    turn = TURNS.get(orientation(image))
    rgb = _to_rgb(image, levels)
    return rgb if turn is None else rgb.transpose(turn)


def _to_rgb(image: Image.Image, levels: Levels | None) -> Image.Image:
    kind = kind_of(image)
    if kind == "A" and level_of(image, levels) == 0:
        return image.convert("RGB")
    if kind and kind != "A":
        level, hole = level_of(image, levels), image.info.get("transparency")
        return _joined(image, (_grey(values, level, hole) for values in value_bands(image)))
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        image = _cmyk_by_profile(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _joined(image, (on_white(np.asarray(rows.convert("RGBA"))) for rows in bands(image)))
    return image if image.mode == "RGB" else image.convert("RGB")


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Lay `(H, W, 4)` uint8 pixels on white, in whole numbers so that other code can repeat it."""
    alpha = rgba[..., 3:].astype(np.int32)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _grey(values: np.ndarray, level: float, hole: object) -> np.ndarray:
    levels = np.clip(np.nan_to_num(values * np.float64(level), posinf=255, neginf=0), 0, 255)
    return np.where(values == hole, 255, levels).astype(np.uint8)


def _joined(image: Image.Image, parts: Iterable[np.ndarray]) -> Image.Image:
    """The whole picture of mode `RGB` from its parts `(rows, W)` or `(rows, W, 3)` uint8, from above."""
    rgb, top = Image.new("RGB", image.size), 0
    for part in parts:
        rgb.paste(Image.fromarray(part), (0, top))
        top += len(part)
    return rgb


def _cmyk_by_profile(image: Image.Image) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # an unusable profile: the plain conversion
