"""Labelled pictures divided into training, validation and test parts, once or in folds."""

from __future__ import annotations

from transfer.data.folders import LabelledImages
from transfer.data.splits import Split, digest_in_order, split_by_content
from transfer.errors import DataError, OptionError, require_kind


def check_split(images: LabelledImages, split: Split) -> None:
    """Refuse what is no split of these pictures.

    Raises:
        DataError: it is of others, or one of the two is something else.
    """
    require_kind("images", images, LabelledImages, "load_images")
    require_kind("split", split, Split, "split")
    last = max((int(indices.max()) for indices in split.parts().values() if len(indices)), default=-1)
    if last >= len(images) or split.pictures not in ("", digest_in_order(images.digests)):
        raise DataError("the split is one of other pictures; make one of these, by transfer.split(images)")


def split(images: LabelledImages, seed: int = 0, validation: float = 0.15, test: float = 0.2) -> Split:
    """Divide pictures into training, validation and test parts by their content and groups.

    Parts that the folders of DATA name are kept; see `splits.split_by_content` for the rule.
    """
    require_kind("images", images, LabelledImages, "load_images")
    return split_by_content(
        images.digests, images.labels, images.class_names, images.groups, images.given, seed, validation, test
    )


def folds(images: LabelledImages, k: int = 5, seed: int = 0, repeats: int = 1, validation: float = 0.15) -> list[Split]:
    """Divide pictures `repeats` times into k folds, each of them the test part of one of the splits.

    See `folding.folds_by_content` for the rule. Parts that the folders of DATA name leave nothing to divide.

    Raises:
        OptionError: more folds than there are groups, or DATA names its test part.
    """
    require_kind("images", images, LabelledImages, "load_images")
    if {"validation", "test"} & set(images.given):
        raise OptionError(
            "folds of DATA that names its own validation or test part; leave `folds` away, or give train/ alone"
        )
    from transfer.data.folding import folds_by_content  # scikit-learn takes a second to import

    return folds_by_content(
        images.digests, images.labels, images.class_names, images.groups, k, seed, repeats, validation
    )
