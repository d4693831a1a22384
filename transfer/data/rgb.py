"""A picture as Pillow opens it to upright RGB pixels of 8 bits.

Colour profiles of RGB pictures are ignored, as in every network's own training; CMYK is converted
by its profile where it has one.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from transfer.data.orientation import upright


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened picture in mode `RGB`, with the pixels that `read_picture` returns; the same object if it is so."""
    return _to_rgb(upright(image))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        grey = np.asarray(image)
        return _grey_to_rgb(np.where(grey == image.info.get("transparency", -1), 255, grey >> 8))
    if image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        highest = np.max(values, initial=0, where=np.isfinite(values))
        values = np.nan_to_num(values, posinf=highest, neginf=0) * level_scale(image.mode, highest)
        return _grey_to_rgb(np.clip(values, 0, 255))
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        image = _cmyk_by_profile(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return Image.fromarray(on_white(np.asarray(image.convert("RGBA"))))
    return image if image.mode == "RGB" else image.convert("RGB")


def level_scale(mode: str, highest: float) -> float:
    """What values of 32 bits become grey levels by; they have no agreed range: 8 bits, 16 bits, or floats up to 1.

    Args:
        mode: `F` for floats, `I` for whole numbers.
        highest: of the values of the picture.
    """
    return 255.0 if mode == "F" and highest <= 1 else 1.0 if highest <= 255 else 1 / 256


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Lay `(H, W, 4)` uint8 pixels on white, in whole numbers so that other code can repeat it."""
    alpha = rgba[..., 3:].astype(np.int32)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _grey_to_rgb(grey: np.ndarray) -> Image.Image:
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def _cmyk_by_profile(image: Image.Image) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # an unusable profile: the plain conversion
