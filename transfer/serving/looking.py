"""Where a network looked in one picture, to be laid over it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transfer.data.sources import Source, read_square
from transfer.errors import PictureError
from transfer.networks.explanation import where_it_looked
from transfer.pages.drawing import data_address, enlarged, overlay
from transfer.serving.refusals import Refusal
from transfer.serving.served_models import Version

SIDE, QUALITY = 320, 85  # pixels of the least side that is sent, and of its WebP 0..100


class Look(NamedTuple):
    """How it was found out, and an address that holds the picture with the map over it."""

    method: str
    image: str


def look(version: Version, picture: Source, class_name: str | None = None) -> Look:
    """Grad-CAM of a picture, or for a network without maps the input gradient.

    Args:
        class_name: to explain; the predicted one by default.

    Raises:
        Refusal: 400, the network is that of no run, does not know the class, or the picture cannot be read.
    """
    network = version.network
    if network.model is None:
        raise Refusal(400, f"{version.model} is an export, which cannot be looked into; serve its run instead")
    if class_name is not None and class_name not in version.class_names:
        raise Refusal(400, f"{version.model} knows no class {class_name!r}; expected one of its own")
    try:
        pixels = read_square(picture, network.image_size, network.fit, network.levels)
    except PictureError as error:
        raise Refusal(400, f"the picture {error}") from error
    classes = None if class_name is None else [version.class_names.index(class_name)]
    method, maps = where_it_looked(network.model, pixels[None].astype(np.float32), classes)
    laid = overlay(pixels, maps[0])
    return Look(method, data_address(laid if len(laid) >= SIDE else enlarged(laid, SIDE), QUALITY))
