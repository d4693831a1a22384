"""Whether the packages of the server are there, known without loading any of them."""

from __future__ import annotations

from importlib import util

from transfer.errors import MissingExtraError

# As they are imported; `python_multipart` reads forms.
MODULES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def require_server() -> None:
    """Refuse to serve where a package is missing.

    Raises:
        MissingExtraError: what to install.
    """
    if gone := [name for name in MODULES if util.find_spec(name) is None]:
        raise MissingExtraError(f"a server needs {', '.join(gone)}; pip install 'transfer[serve]'")
