"""What `train` and `compare` begin with: words to pictures, a split, layers, numbers."""

from __future__ import annotations

import json
from pathlib import Path

import transfer
from transfer.cli.data import refuse, show_findings
from transfer.cli.show import one_line, progress, show_notes
from transfer.errors import OptionError, unknown_name

KEPT_TOGETHER = ("near-duplicates",)


def load(
    data: str,
    groups: str | None,
    seed: int,
    per_class: int | None,
    split_file: Path | None,
    keep_together: str | None,
    strict: bool,
    shares: dict[str, float | None],
):
    """(images, split, findings) of DATA; what the user should know of them is printed.

    `shares` of the validation and test parts are those that were typed, or `None`.
    """
    from transfer.checks.checking import quick_findings

    shares = {part: share for part, share in shares.items() if share is not None}
    if split_file is not None:
        _refuse_shares(shares, f"with --split {split_file}, which has its own parts; leave one of them away")
    images = transfer.load_images(data, groups)
    given = {"validation", "test"} & set(images.given)
    if len(given) == 2 or (given and "test" in shares):
        _refuse_shares(shares, f"of DATA that names its {' and '.join(sorted(given))} part; leave it away")
    look = transfer.check(images) if strict else None
    findings = look.findings if look else quick_findings(images)
    if strict:
        refuse(findings)  # unreadable files too, so that pictures have the same numbers below
    if keep_together is not None:
        if keep_together not in KEPT_TOGETHER:
            raise unknown_name("--keep-together", keep_together, KEPT_TOGETHER)
        images = transfer.keep_together(images, look.near if look else None)
    split = transfer.split(images, seed, **shares) if split_file is None else transfer.read_split(images, split_file)
    if per_class is not None:
        split = transfer.limit_training(split, images.labels, per_class, seed)
    parts = ", ".join(f"{len(indices)} {part}" for part, indices in split.parts().items())
    progress.print(f"{len(images)} pictures of {len(images.class_names)} classes: {parts}", markup=False)
    if images.ignored:
        progress.print(f"{images.ignored} other files ignored")
    for name, reason in images.unreadable:
        progress.print(one_line(f"left out: {name} {reason}"), markup=False)
    show_findings(findings)
    show_notes(split.notes)
    return images, split, findings


def _refuse_shares(shares: dict[str, float], why: str) -> None:
    for part, share in shares.items():
        raise OptionError(f"--{part} {share} {why}")


def layer_rows(path: Path | None) -> list[dict] | None:
    """The list of layers in a JSON file."""
    if path is None:
        return None
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--layers {path} cannot be read ({error}); expected a JSON list of rows") from error
    if not isinstance(rows, list):
        raise OptionError(f'--layers {path} holds no list; expected rows such as [{{"conv": 32}}, {{"pool": 2}}]')
    return rows


def whole_numbers(option: str, text: str) -> list[int]:
    """Numbers with commas between them."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise OptionError(f"{option} {text}; expected whole numbers with commas between them") from error
