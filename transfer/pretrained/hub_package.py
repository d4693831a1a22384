"""What is known of `hub:` names before KerasHub is loaded."""

from __future__ import annotations

from importlib import util
from pathlib import Path

from transfer.errors import MissingExtraError, ModelFileError

HUB = "hub:"  # before the name, the address or the folder of a preset


def check_preset(name: str) -> None:
    """Find out without loading KerasHub whether a preset may be there.

    Args:
        name: `hub:` and the preset.

    Raises:
        MissingExtraError: KerasHub is not installed.
        ModelFileError: no name at all, or a folder that is none of a preset.
    """
    require_keras_hub(name)
    preset = name.removeprefix(HUB)
    folder = Path(preset)
    if not preset or (len(folder.parts) > 1 and "://" not in preset and not folder.is_dir()):
        raise ModelFileError(f"{name}: no such folder; expected the name of a preset of KerasHub, or its folder")
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise ModelFileError(f"{name} has no config.json; expected a folder that `save_to_preset` of KerasHub wrote")


def keras_hub_is_installed() -> bool:
    """Whether KerasHub is there, without loading it."""
    return util.find_spec("keras_hub") is not None


def require_keras_hub(what: str) -> None:
    """Refuse what needs KerasHub where that is missing.

    Raises:
        MissingExtraError: it is not installed.
    """
    if not keras_hub_is_installed():
        raise MissingExtraError(f"{what} needs keras-hub, which is not installed; pip install 'transfer[hub]'")
