"""The JSON of a request: read strictly, with one sentence where it is something else."""

from __future__ import annotations

import base64
import binascii
import json

import numpy as np
from fastapi import Request

from transfer.data.sources import Source
from transfer.serving.refusals import Refusal


async def json_object(request: Request) -> dict:
    """The object in the body of a request.

    Raises:
        Refusal: 400, no JSON object.
    """
    return parsed_object(await request.body())


def parsed_object(body: bytes) -> dict:
    """The JSON object that bytes hold; raises as `json_object`."""
    try:
        said = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is no JSON ({error}); expected an object") from error
    if not isinstance(said, dict):
        raise Refusal(400, f"the body is a JSON {type(said).__name__}; expected an object")
    return said


def from_base64(text: object, where: str) -> bytes:
    """The bytes that a text holds.

    Raises:
        Refusal: 400, no text in base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Refusal(400, f"{where} is not in base64; expected the bytes of a picture file so") from error


def pixels_from(values: object, where: str) -> Source:
    """A picture that was sent as numbers, `(H, W, 3)` uint8.

    Raises:
        Refusal: 400, other numbers, or another shape.
    """
    try:
        pixels = np.asarray(values, np.float64)
    except (ValueError, TypeError) as error:
        raise Refusal(400, f"{where} is no array of numbers; expected (height, width, 3)") from error
    whole = pixels.size and np.isfinite(pixels).all() and (pixels == np.clip(pixels.round(), 0, 255)).all()
    if pixels.ndim != 3 or pixels.shape[-1] != 3 or not whole:
        raise Refusal(
            400, f"{where} has the shape {pixels.shape}; expected (height, width, 3) of whole numbers from 0 to 255"
        )
    return pixels.astype(np.uint8)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
