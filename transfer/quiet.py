"""TensorFlow without what it says on every start about processors and drivers, and with memory that it keeps."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def import_tensorflow() -> None:
    """Import TensorFlow once; what it writes to standard error is shown only if the import fails.

    The messages come from C++ before any logging setting is read, so they are caught below Python.
    """
    # A process that trains many networks traces a graph for each, as it must.
    logging.getLogger("tensorflow").addFilter(_no_retracing)
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    _keep_memory()
    with told_only_on_failure():
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for drivers, and says what it misses


@contextmanager
def told_only_on_failure() -> Iterator[None]:
    """Hold back what C++ writes to standard error, past all settings of logging, unless the block fails."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed, and nobody sees anything
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except Exception:  # but not a signal
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _no_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


M_ARENA_MAX = -8  # of glibc's malloc.h


def _keep_memory() -> None:
    """Let freed tensors be used again, instead of giving them back to the system and taking others.

    glibc returns every large block at once, and the next one comes in page by page: half of a training step on a
    processor is page faults then. TensorFlow's own allocator (of GPUs) keeps them; a single arena lets the rest be
    shared by all threads. Whoever has chosen an allocator or arenas by the environment keeps that.
    """
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    chosen = "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", "")
    if platform.libc_ver()[0] == "glibc" and not chosen:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
