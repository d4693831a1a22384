"""Pictures of all requests, answered by one network in batches.

A thread takes what waits, up to a batch, and answers it; what comes meanwhile is the next batch. So a picture that
comes alone waits for nothing, and under load batches grow by themselves. After a batch of several, their senders come
again one after another within milliseconds: the next batch takes them all while they do, instead of the first alone.
There are two such threads: while the pictures of one are computed, those of the other are sent, read and decoded. With
one alone processors would have nothing to do after each batch until the senders of it had asked again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from transfer.data.pipeline import BATCH
from transfer.data.sources import Source
from transfer.runs.saved_networks import SavedNetwork, answers

LINGER = 0.003  # seconds that the next picture may take to come, after a batch of several
AT_ONCE = 2  # batches


class Answer(NamedTuple):
    """What a network says of one picture.

    Attributes:
        probabilities: `(C,)`, sum 1; all 0 where the picture cannot be read.
        error: why it cannot be read, or "".
    """

    probabilities: np.ndarray
    error: str


class Batching:
    """A network at work in threads of its own.

    Args:
        network: that answers, several batches at once.
        told: called with the numbers of readable and other pictures of each batch.
    """

    def __init__(self, network: SavedNetwork, told: Callable[[int, int], None]):
        self._network, self._told = network, told
        self._waiting: queue.SimpleQueue = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True, name="batching") for _ in range(AT_ONCE)]
        for thread in self._threads:
            thread.start()

    def submit(self, picture: Source) -> Future[Answer]:
        """The answer to a picture, to come; nothing may be submitted after `close`."""
        answer: Future[Answer] = Future()
        self._waiting.put((picture, answer))
        return answer

    def close(self) -> None:
        """Answer what waits, and end the threads; returns at once."""
        for _ in self._threads:
            self._waiting.put(None)

    def join(self) -> None:
        """Wait until the threads have ended."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        is_open, linger = True, 0.0
        while is_open:
            taken = [self._waiting.get()]
            with suppress(queue.Empty):
                while len(taken) < BATCH and taken[-1] is not None:
                    taken.append(self._waiting.get(timeout=linger))
            is_open = taken[-1] is not None
            linger = LINGER if len(taken) > 1 else 0.0
            # Those who asked may have gone.
            batch = [each for each in taken if each is not None and each[1].set_running_or_notify_cancel()]
            if batch:
                self._answer(*zip(*batch))

    def _answer(self, pictures: Sequence[Source], futures: Sequence[Future[Answer]]) -> None:
        try:
            ((_, probabilities, errors),) = answers(self._network, pictures)
        except Exception as error:  # such as too little memory: the next batch may go well
            for future in futures:
                future.set_exception(error)
            return
        self._told(errors.count(""), len(errors) - errors.count(""))
        for future, values, error in zip(futures, probabilities, errors):
            future.set_result(Answer(np.zeros_like(values) if error else values, error))
