"""A request's pictures to a network and back, within the limits: what every protocol does in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transfer.data.sources import Source
from transfer.errors import first_line
from transfer.serving.batching import Answer
from transfer.serving.metrics import Metrics
from transfer.serving.refusals import Limits, Refusal
from transfer.serving.served_models import ServedModels, Version


class Waiting:
    """How many pictures of all requests have no answer yet."""

    def __init__(self) -> None:
        self.pictures = 0


class Service(NamedTuple):
    """What answers, how much it takes, and the folder in which it keeps corrected pictures, if any."""

    models: ServedModels
    limits: Limits
    waiting: Waiting
    metrics: Metrics
    collect: Path | None = None


async def ask(service: Service, version: Version, pictures: Sequence[Source]) -> list[Answer]:
    """What a version says of pictures, in order.

    Raises:
        Refusal: 413, more pictures than may ever wait; 429, too many wait now; 503, no answer in time; 500, the
            network failed.
    """
    limits, waiting, number = service.limits, service.waiting, len(pictures)
    if number > limits.most_waiting:
        raise Refusal(413, f"{number} pictures in one request; at most {limits.most_waiting} are taken: send fewer")
    if waiting.pictures + number > limits.most_waiting:
        raise Refusal(429, f"{waiting.pictures} pictures wait already, of {limits.most_waiting}; try again in a second")
    waiting.pictures += number
    try:
        async with asyncio.timeout(limits.most_seconds):
            return await asyncio.gather(*(asyncio.wrap_future(version.batching.submit(each)) for each in pictures))
    except TimeoutError as error:
        raise Refusal(
            503, f"no answer within {limits.most_seconds:g} seconds; send fewer pictures, or later"
        ) from error
    except Exception as error:  # whatever TensorFlow raises
        raise Refusal(500, f"{version.model} could not answer ({first_line(error)}); the server goes on") from error
    finally:
        waiting.pictures -= number


def label_of(version: Version, answer: Answer) -> str:
    """The most probable class, or "" for a picture that cannot be read."""
    return "" if answer.error else version.class_names[int(answer.probabilities.argmax())]


def rounded(answer: Answer) -> list[float]:
    """The probabilities as they are sent: float32 has no more digits than these."""
    return [round(value, 7) for value in answer.probabilities.tolist()]
