"""What a user can get wrong, one class each. A message says what came, what was expected, what to do.

It names a keyword in backticks, as Python writes it (`overwrite=True`); the command line shows the option for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral


class TransferError(Exception):
    """Base of all errors that a user can mend; the command line prints it and exits with 2."""


class DataError(TransferError):
    """The folder, table, archive or address of pictures is not usable."""


class PictureError(TransferError):
    """One file cannot be read as a picture."""


class UnreachablePicture(PictureError):
    """A file is not there, or its disk does not answer: a moment later it may."""


class UnreadablePictures(TransferError):
    """Pictures that looked whole could not be decoded.

    Attributes:
        positions: their indices in the `LabelledImages`.
    """

    def __init__(self, message: str, positions: Iterable[int]):
        super().__init__(message)
        self.positions = tuple(positions)

    @property
    def note(self) -> str:
        """What to tell once the pictures are left out."""
        return str(self).split("; leave them out")[0] + "; they are left out"


class UnknownNameError(TransferError):
    """A name that is in none of the tables (backbone, method, head, ...)."""


class LayerError(TransferError):
    """A row of a layer list cannot be built."""


class OptionError(TransferError):
    """An option has a value that cannot be used."""


class ImageSizeError(OptionError):
    """The picture size is below what the network takes."""


class WeightsError(TransferError):
    """Weights are missing, damaged, or belong to another architecture."""


class ModelFileError(TransferError):
    """A file or folder is not a model that can be loaded safely."""


class OutputError(TransferError):
    """The place to write to is taken, or cannot be written."""


class TakenError(OutputError):
    """Another process is writing to the same place."""


class TrainingError(TransferError):
    """Training broke down: the loss, or what a network makes of pictures, is no number."""


class EngineError(TransferError):
    """An engine cannot compute a network, or computes something else."""


class ExportError(TransferError):
    """The exported model does not answer like the original."""


class MissingExtraError(TransferError):
    """An optional library is not installed."""


def unknown_name(
    what: str, received: object, known: Iterable[str], error: type[TransferError] = UnknownNameError
) -> TransferError:
    """An error for a name that is not in `known`, with the nearest names (to be raised)."""
    names = [str(name) for name in known]
    near = get_close_matches(str(received).lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(names)}"
    return error(f"{what}: unknown name {str(received)!r}; {hint}")


def require_whole(name: str, value: object, least: int = 1, error: type[TransferError] = OptionError) -> None:
    """Refuse what is no whole number from `least` up, such as one written as text; `name` is that of the keyword.

    Raises:
        TransferError: of the kind `error`.
    """
    if isinstance(value, bool) or not (isinstance(value, Integral) and value >= least):
        raise error(f"`{name}={value!r}`; expected a whole number from {least} up")


def require_kind(name: str, value: object, kind: type, made_by: str) -> None:
    """Refuse an argument that is no object of this toolkit, and tell which of its functions makes one.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, kind):
        raise DataError(f"{name} is of type {type(value).__name__}; expected what transfer.{made_by} returns")


def first_line(error: BaseException) -> str:
    """What another library's error says, short enough for one sentence."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
