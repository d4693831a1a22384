"""What a server does not do, with the status of HTTP that says so, and the limits from which on it does not."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from transfer.errors import OptionError, TransferError, require_whole


class Refusal(TransferError):
    """A request that is not answered, in one sentence.

    Attributes:
        status: of HTTP, 4xx or 5xx.
    """

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From where on requests are refused.

    Attributes:
        most_megabytes: million bytes of the body of a request; more gets 413.
        most_seconds: that a body may take to arrive (408), and then its answer (503).
        most_waiting: pictures that may wait for their answer, all requests together; what comes then gets 429, and a
            request of more pictures than that 413.

    Raises:
        OptionError: one of them is no number above 0.
    """

    most_megabytes: float = 32.0
    most_seconds: float = 30.0
    most_waiting: int = 512

    def __post_init__(self) -> None:
        for name in ("most_megabytes", "most_seconds"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 < value < float("inf")):
                raise OptionError(f"`{name}={value!r}`; expected a number above 0")
        require_whole("most_waiting", self.most_waiting)

    @property
    def most_bytes(self) -> int:
        """Of the body of one request."""
        return int(self.most_megabytes * 1e6)
