"""What is known of a backbone before it is loaded: its sizes, its weights, and whether it can be had."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from transfer.errors import ImageSizeError, ModelFileError, WeightsError, require_whole, unknown_name
from transfer.pretrained.architectures import ARCHITECTURES, Architecture, imagenet_file
from transfer.pretrained.hub_package import HUB, check_preset
from transfer.pretrained.weight_packages import require_file

BUNDLED_FILE = "bundled.npz"
BUNDLED_SIZE, BUNDLED_SMALLEST, BUNDLED_PARAMETERS = 96, 32, 2_762_464
SETS = ("fast", "all-local")  # of backbones, see `backbone_choice.backbone_set`

# NAME, or NAME:WEIGHTS; the colon behind the letter of a drive (of Windows) belongs to its path.
_ENTRY = re.compile(r"((?:[A-Za-z]:(?=[\\/]))?[^:]*):?(.*)", re.DOTALL)


class BackboneRow(NamedTuple):
    """One line of `transfer backbones`; `file` is where the weights are now, if they are on this machine."""

    name: str
    parameters: int
    image_size: int
    smallest: int
    imagenet_top1: float | None
    weights: str
    file: str | None


def list_backbones() -> list[BackboneRow]:
    """All backbones with their size, their published accuracy on ImageNet, and where their weights are now."""
    bundled = str(resources.files("transfer").joinpath("weights", BUNDLED_FILE))
    rows = [BackboneRow("bundled", BUNDLED_PARAMETERS, BUNDLED_SIZE, BUNDLED_SMALLEST, None, "bundled", bundled)]
    for name, row in ARCHITECTURES.items():
        facts = row.parameters, row.image_size, row.smallest, row.imagenet_top1
        rows.append(BackboneRow(name, *facts, *_where(row)))
    return rows


def _where(row: Architecture) -> tuple[str, str | None]:
    """In words, and the file that is there."""
    if file := imagenet_file(row):
        return "in a package" if row.package else "in Keras' cache", str(file)
    return "package to install" if row.package else "to be downloaded", None


def default_size(name: str) -> tuple[int, int] | None:
    """The usual and the smallest picture size of a backbone; `None` for a file or preset, which has its own."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name].image_size, ARCHITECTURES[name].smallest
    return (BUNDLED_SIZE, BUNDLED_SMALLEST) if name == "bundled" else None


def brings_weights(name: str) -> bool:
    """Whether a backbone is a `.keras` file or a preset of KerasHub, which come with weights of their own."""
    return name.endswith(".keras") or name.startswith(HUB)


def default_weights(name: str) -> str:
    """The weights that a backbone is loaded with where none are asked for."""
    return "imagenet" if name in ARCHITECTURES else "bundled" if name == "bundled" else "as given"


def default_features(name: str) -> str:
    """The features of a backbone where none are asked for: those that measured better, see docs/backbones.md."""
    return "stages" if name in ARCHITECTURES else "last"


def name_and_weights(entry: str) -> tuple[str, str | None]:
    """What an entry such as `mobilenet_v2:FILE` names: a backbone, and its weights if they are not the usual ones."""
    if entry.startswith(HUB):  # a preset brings its own
        return entry, None
    name, weights = _ENTRY.fullmatch(entry).groups()
    return name, weights or None


def check_unnamed(weights: str | None) -> None:
    """Refuse weights of a backbone that the data is to choose.

    Raises:
        WeightsError: they are of one backbone, and it is not said of which.
    """
    if weights not in (None, "none", "bundled"):
        raise WeightsError(f"`weights={weights}` without the backbone that they are of; name it with `backbone`")


def check_backbone(name: str, image_size: int | None = None, weights: str | None = None) -> None:
    """Find out before any work, and before Keras is loaded, whether a backbone can be had; see `load_backbone`.

    Raises:
        UnknownNameError: no such backbone.
        ImageSizeError: S is below what the network takes.
        WeightsError: no such file, a package that is not installed, or weights beside what brings its own.
        ModelFileError: there is no such `.keras` file, or no such folder of a preset.
        MissingExtraError: a preset, and KerasHub is not installed.
    """
    if image_size is not None:
        require_whole("image_size", image_size, error=ImageSizeError)
    if brings_weights(name) and weights is not None:
        raise WeightsError(f"`weights={weights}`: {name} brings its own weights; leave `weights` away")
    if name.startswith(HUB):
        return check_preset(name)
    if name.endswith(".keras"):
        if not Path(name).is_file():
            raise ModelFileError(f"{name} does not exist; expected a .keras file")
        return
    bounds = default_size(name)
    if bounds is None:
        raise unknown_name("backbone", name, ("bundled", *ARCHITECTURES))
    if image_size is not None and image_size < bounds[1]:
        raise ImageSizeError(f"`image_size={image_size}`: {name} takes pictures from {bounds[1]} pixels up")
    usual = default_weights(name)
    if weights not in (None, usual, "none"):
        if name == "bundled" and weights == "imagenet":
            raise WeightsError('the bundled backbone has no ImageNet weights; give `weights="bundled"`, none or a file')
        if not Path(weights).is_file():
            raise WeightsError(f"`weights={weights}`: no such file; expected {usual}, none or a weights file")
    elif weights != "none" and name != "bundled" and ARCHITECTURES[name].package:
        require_file(ARCHITECTURES[name].package)
