"""What `train` and `compare` begin with: words to pictures, a split, layers, numbers."""

from __future__ import annotations

import transfer
from transfer.cli.data import refuse, show_findings
from transfer.cli.option_groups import Reading
from transfer.cli.show import one_line, progress, show_notes
from transfer.errors import OptionError, unknown_name
from transfer.learning.options import TrainingOptions
from transfer.pages.wording import number_of

KEPT_TOGETHER = ("near-duplicates",)


def load(data: str, reading: Reading, training: TrainingOptions):
    """(images, split, findings) of DATA; what the user should know of them is printed."""
    from transfer.checks.checking import quick_findings

    shares, split_file, seed = reading.shares(), reading.split_file, training.seed
    if split_file is not None:
        _refuse_shares(shares, f"with --split {split_file}, which has its own parts; leave one of them away")
    images = transfer.load_images(data, reading.groups, max_size=reading.max_size)
    given = {"validation", "test"} & set(images.given)
    if len(given) == 2 or (given and "test" in shares):
        _refuse_shares(shares, f"of DATA that names its {' and '.join(sorted(given))} part; leave it away")
    look = transfer.check(images) if reading.strict else None
    findings = look.findings if look else quick_findings(images, training.fit)
    if reading.strict:
        refuse(findings)  # unreadable files too, so that pictures have the same numbers below
    if reading.keep_together is not None:
        if reading.keep_together not in KEPT_TOGETHER:
            raise unknown_name("--keep-together", reading.keep_together, KEPT_TOGETHER)
        images = transfer.keep_together(images, look.near if look else None)
    split = transfer.split(images, seed, **shares) if split_file is None else transfer.read_split(images, split_file)
    if reading.per_class is not None:
        split = transfer.limit_training(split, images.labels, reading.per_class, seed)
    parts = ", ".join(f"{len(indices):,} {part}" for part, indices in split.parts().items())
    classes = number_of(len(images.class_names), "class", "classes")
    progress.print(f"{number_of(len(images), 'picture')} of {classes}: {parts}", markup=False)
    if images.ignored:
        progress.print(f"{number_of(images.ignored, 'other file')} ignored")
    for name, reason in images.unreadable:
        progress.print(one_line(f"left out: {name} {reason}"), markup=False)
    show_findings(findings)
    show_notes(split.notes)
    return images, split, findings


def _refuse_shares(shares: dict[str, float], why: str) -> None:
    for part, share in shares.items():
        raise OptionError(f"--{part} {share} {why}")
