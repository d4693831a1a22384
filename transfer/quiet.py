"""TensorFlow without what it says on every start about processors and drivers."""

from __future__ import annotations

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow once; what it writes to standard error is shown only if the import fails.

    The messages come from C++ before any logging setting is read, so they are caught below Python.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for drivers, and says what it misses
            # A process that trains many networks traces a graph for each, as it must.
            tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
