"""The parts of a split, and the names that folders and tables give them."""

from __future__ import annotations

PARTS = ("train", "validation", "test")
PART_NAMES = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


def part_named(word: str) -> str:
    """The part that a word such as `Val` stands for, `""` for none."""
    return PART_NAMES.get(word.strip().lower(), "")
