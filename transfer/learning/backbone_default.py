"""The backbone where none is named: from the pictures, and from the weights that are installed."""

from __future__ import annotations

import numpy as np

from transfer import settings
from transfer.checks.inspection import inspect_files
from transfer.data.folders import LabelledImages, spread
from transfer.pretrained.architectures import ARCHITECTURES
from transfer.pretrained.backbone_table import default_size
from transfer.pretrained.weight_packages import installed_file

LOOKED_AT = 24  # pictures whose detail is measured: those that `checking.quick_findings` has looked at already


def default_backbone(images: LabelledImages, image_size: int | None = None) -> tuple[str, int, str]:
    """The backbone for these pictures, see `settings.backbone`.

    Args:
        images: from `load_images`.
        image_size: side of the square in pixels where it is given.

    Returns:
        (name, side of the square in pixels, a sentence that says what was chosen and why).
    """
    side = images.typical_side()
    about, least = f"pictures of about {side} px", settings.LEAST_FOR_IMAGENET
    if side >= least and (held := round(side * _detail(images))) < least:
        side, about = held, f"{about} that hold no more than {held} (enlarged, or soft)"
    wanted = settings.backbone(min(side, image_size or side))
    package = ARCHITECTURES[wanted].package if wanted in ARCHITECTURES else None
    name = "bundled" if package and installed_file(package) is None else wanted
    size = image_size or settings.image_size(side, *default_size(name))
    missing = "" if name == wanted else f", for the weights of {wanted} are not installed ({package.install})"
    return name, size, f"no backbone was named: {name} at {size} px is taken for {about}{missing}"


def _detail(images: LabelledImages) -> float:
    """The share of their side in pixels that half of the pictures need to be held without loss, twice their detail."""
    files = [file for file in inspect_files(spread(images.paths, LOOKED_AT)) if not file.reason]
    return min(1.0, 2 * float(np.median([file.detail for file in files]))) if files else 1.0
