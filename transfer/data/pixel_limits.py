"""How many pixels a picture may have, and how many of them may be in memory at once."""

from __future__ import annotations

import ctypes
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from numbers import Real

from PIL import Image

from transfer.errors import OptionError
from transfer.settings import MEGAPIXELS

AT_ONCE = 100_000_000  # pixels of pictures that are open at once in all threads; Pillow takes four bytes for each
LARGE = 1 << 24  # pixels of a picture for which memory is looked after

# Pillow only warns between one and two times its limit: refuse there already.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def limit_pixels(most_megapixels: float = MEGAPIXELS) -> None:
    """Set how many million pixels a picture may have in this process; larger ones are refused by their header.

    A file may claim any size, and takes 4 to 8 bytes a pixel while it is read.

    Raises:
        OptionError: no number above 0.
    """
    if not (isinstance(most_megapixels, Real) and 0 < most_megapixels < float("inf")):
        raise OptionError(f"`most_megapixels={most_megapixels!r}`; expected a number above 0")
    Image.MAX_IMAGE_PIXELS = int(most_megapixels * 1_000_000)


limit_pixels()


def most_pixels() -> int:
    """How many pixels a picture may have, see `limit_pixels`."""
    return Image.MAX_IMAGE_PIXELS or sys.maxsize  # `None` is Pillow's word for any number


class Room:
    """The pixels that may be in memory at once: so many threads, so many large pictures would be otherwise."""

    def __init__(self, most: int):
        self._most = self._free = most
        self._changed = threading.Condition()

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        """Take the place of so many pixels, once it is free; more than there are at all wait for all of it."""
        taken = min(pixels, self._most)
        if pixels > LARGE:
            _give_back()
        with self._changed:
            self._changed.wait_for(lambda: taken <= self._free)
            self._free -= taken
        try:
            yield
        finally:
            if pixels > LARGE:
                _give_back()
            with self._changed:
                self._free += taken
                self._changed.notify_all()


def _give_back() -> None:
    """Return freed memory to the system: glibc keeps it, for each thread its own, which are gigabytes here."""
    with suppress(OSError, AttributeError, TypeError):  # another C library, or another system
        ctypes.CDLL(None).malloc_trim(0)


room = Room(AT_ONCE)
