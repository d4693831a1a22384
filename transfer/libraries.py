"""Which versions compute the figures here."""

from __future__ import annotations

import platform
from importlib import metadata

LIBRARIES = ("transfer", "tensorflow", "keras", "numpy", "pillow", "scikit-learn")


def versions() -> dict[str, str]:
    """By name, those of the libraries and of Python."""
    return {name: metadata.version(name) for name in LIBRARIES} | {"python": platform.python_version()}
