"""The JSON of a request: read strictly, with one sentence where it is something else."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Callable
from json.decoder import JSONArray, JSONObject
from json.scanner import py_make_scanner
from typing import TypeVar

import numpy as np
from fastapi import Request

from transfer.data.sources import Source
from transfer.serving.refusals import Refusal

LARGE = 1 << 16  # bytes of a body that takes more than about a millisecond to read
LEVELS = 3  # of brackets within which others may come between: those around the rows of each picture
T = TypeVar("T")


async def read_body(request: Request, reading: Callable[[bytes], T]) -> T:
    """What a function makes of the body of a request; of a large one in a thread, while others are answered."""
    body = await request.body()
    return await asyncio.to_thread(reading, body) if len(body) > LARGE else reading(body)


def parsed_object(body: bytes) -> dict:
    """The JSON object that bytes hold.

    Raises:
        Refusal: 400, no JSON object.
    """
    try:
        said = _READER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
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


def _reader(levels: int) -> json.JSONDecoder:
    """A reader of JSON that takes the outermost levels apart in Python, where threads take turns; the rest is C.

    In C alone, a body of many pixels would keep all other threads from running until it is read.
    """
    reader = json.JSONDecoder(parse_constant=_no_number)
    if levels:
        inner = _reader(levels - 1).scan_once
        reader.parse_array = lambda start, _: JSONArray(start, inner)
        reader.parse_object = lambda start, strict, _, *further: JSONObject(start, strict, inner, *further)
        reader.scan_once = py_make_scanner(reader)
    return reader


_READER = _reader(LEVELS)
