"""What is wrong with the data, what to look at, and what is good to know: one table of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from transfer.checks import data_checks, folder_checks, picture_checks, value_checks
from transfer.checks.data_checks import REPEATED
from transfer.checks.findings import SEVERITIES, Facts, Finding, Found


class Kind(NamedTuple):
    """A check: its name, weight, what it needs besides labels and names, what it does, and what to do then."""

    name: str
    severity: str
    needs: str
    check: Callable[[Facts], Iterator[Found]]
    advice: str = ""


_DROP = "keep one and drop the others"
KINDS = (
    Kind("counts", "note", "", folder_checks.counts),
    Kind("groups", "note", "", data_checks.groups),
    Kind("unreadable", "problem", "", folder_checks.unreadable, "mend or remove them; training leaves them out"),
    Kind("lonely classes", "problem", "", folder_checks.lonely_classes, "add pictures or remove the class"),
    Kind("missing classes", "problem", "", data_checks.missing_classes, "add pictures there, or let the split be made"),
    Kind(
        "exact across classes", "problem", "", REPEATED["exact across classes"], "keep the right one, drop the others"
    ),
    Kind("exact across parts", "problem", "", REPEATED["exact across parts"], "a leak: drop them from one part"),
    Kind("near across parts", "problem", "near", REPEATED["near across parts"], "a leak: drop them from one part"),
    Kind("groups across parts", "problem", "", data_checks.groups_across_parts, "a leak: keep each group in one part"),
    Kind("name groups across parts", "warning", "", data_checks.name_groups_across_parts, "a leak if they are right"),
    Kind("ungrouped", "warning", "", data_checks.ungrouped, "each is split alone: name their groups, too"),
    Kind("groups in names", "warning", "", data_checks.groups_in_names, "--groups auto keeps them together"),
    Kind("near across classes", "warning", "near", REPEATED["near across classes"], "look which label is right"),
    Kind("near in class", "warning", "near", REPEATED["near in class"], "--keep-together near-duplicates"),
    Kind("exact in class", "warning", "", REPEATED["exact in class"], f"the split keeps them together; or {_DROP}"),
    Kind("alike names", "warning", "", folder_checks.alike_names, "if they are one class, move them to one folder"),
    Kind("missing labels", "warning", "", folder_checks.missing_labels, "label them or take them out"),
    Kind(
        "folders in classes",
        "warning",
        "",
        folder_checks.folders_in_classes,
        "if those are the classes, name the outer ones train and test, or give one of them as DATA",
    ),
    Kind(
        "merged folders",
        "warning",
        "",
        folder_checks.merged_folders,
        "if those are classes, move them beside the others",
    ),
    Kind(
        "unread pictures", "warning", "", folder_checks.unread_pictures, "convert them, or give them their own ending"
    ),
    Kind("empty classes", "warning", "", folder_checks.empty_classes, "add pictures or remove the folder"),
    Kind(
        "outside classes",
        "warning",
        "",
        folder_checks.outside_classes,
        "move them to a class, or add them to the table",
    ),
    Kind("small classes", "warning", "", folder_checks.small_classes, "more pictures; their test accuracy says little"),
    Kind("imbalance", "warning", "", folder_checks.imbalance, "--optimise balanced; read balanced accuracy"),
    Kind("shortcuts", "warning", "pixels", picture_checks.shortcuts, "a network may learn this; even it out"),
    Kind("marks", "warning", "pixels", picture_checks.marks, "a stamp or frame that a network may learn"),
    Kind("suspected labels", "warning", "suspects", data_checks.suspected_labels, "look at them one by one"),
    Kind("one tone", "warning", "look", picture_checks.one_tone, "look at them: there is nothing to learn from"),
    Kind("cut", "warning", "look", picture_checks.cut, "--fit pad keeps all of them"),
    Kind("mirrored", "warning", "pixels", picture_checks.mirrored, "--no-flip: random flips turn one into the other"),
    Kind(
        "pixel values",
        "warning",
        "pixels",
        value_checks.scales,
        "give them the range of the others, or store all as 8 bits",
    ),
    Kind("no numbers", "warning", "pixels", value_checks.no_numbers, "NaN becomes black, infinity white"),
    Kind("further bands", "warning", "pixels", value_checks.further_bands, "store three bands, or one picture a band"),
    Kind("dark", "warning", "pixels", picture_checks.dark, "look at them"),
    Kind("overexposed", "warning", "pixels", picture_checks.overexposed, "look at them"),
    Kind("blurry", "warning", "pixels", picture_checks.blurry, "look at them"),
    Kind("nearly empty", "warning", "pixels", picture_checks.nearly_empty, "look at them"),
    Kind("odd sizes", "warning", "pixels", picture_checks.odd_sizes, "look at them"),
    Kind("odd shapes", "warning", "pixels", picture_checks.odd_shapes, "--fit pad keeps all of them"),
    Kind("animations", "warning", "pixels", picture_checks.animations, "only the first counts"),
    Kind("converted", "note", "pixels", picture_checks.converted),
    Kind("turned", "note", "pixels", picture_checks.turned),
    Kind("sizes", "note", "pixels", picture_checks.sizes),
    Kind("formats", "note", "pixels", picture_checks.formats),
    Kind("resolution", "note", "pixels", picture_checks.resolution),
    Kind("pixel range", "note", "", value_checks.ranges),
    Kind("other files", "note", "", folder_checks.other_files),
)


# What makes figures of a random split say more than new pictures would, by kind of finding.
_FLATTERING = (
    "exact across parts", "near across parts", "groups across parts", "name groups across parts", "groups in names",
    "shortcuts", "marks",
)  # fmt: skip


def caveats(findings: Iterable[Finding]) -> list[str]:
    """Sentences on what makes the accuracy on the test part untrustworthy: leaks, and shortcuts for a network."""
    return [f"{each.message} ({each.advice})" for each in findings if each.kind in _FLATTERING]


def find(facts: Facts) -> list[Finding]:
    """Run all checks for which there are facts.

    Returns:
        Findings, the problems first, then warnings, then notes.
    """
    near = facts.near is not None
    there = {"": True, "pixels": facts.inspections, "near": near, "suspects": facts.suspects, "look": facts.looked_at}
    findings = [
        Finding(**vars(found), kind=kind.name, severity=kind.severity, advice=kind.advice)
        for kind in KINDS
        if there[kind.needs]
        for found in kind.check(facts)
    ]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
