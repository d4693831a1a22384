"""The parts of a split, and the names that folders and tables give them."""

from __future__ import annotations

import re

PARTS = ("train", "validation", "test")
PART_NAMES = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
# Words beside that of the part in names such as `train_images` and `TestSet`, which say nothing of what is shown.
_FILLERS = frozenset(
    {"data", "dataset", "file", "files", "folder", "image", "images", "img", "imgs", "photo", "photos"}
    | {"picture", "pictures", "set", "split"}
)


def part_named(word: str) -> str:
    """The part that a word such as `Val` stands for, `""` for none."""
    return PART_NAMES.get(word.strip().lower(), "")


def part_in(name: str) -> str:
    """The part that a word of a name such as `seg_train` or `val2017` stands for; `""` for none or several."""
    named = set(filter(None, map(part_named, _words(name))))
    return named.pop() if len(named) == 1 else ""


def is_plain_part(name: str) -> bool:
    """Tell a name that says nothing but a part, such as `Test`, `train_images` or `val2017`, from `test_tube`."""
    return part_in(name) != "" and all(part_named(word) or word in _FILLERS for word in _words(name))


def _words(name: str) -> list[str]:
    """Words of letters, in small ones: parted by anything else, and by a capital after a small letter."""
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", name).lower())
