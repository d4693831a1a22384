"""Backbones beside each other: how good the features of each are, what they cost, which one to take."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from transfer.pages import plots
from transfer.pages.curve_plots import draw_accuracy_against_cost
from transfer.statistics.significance import LEVEL
from transfer.writing import write_json, write_table


@dataclass(frozen=True)
class Candidate:
    """One backbone: what its frozen features reach and cost.

    Attributes:
        backbone, weights, image_size, parameters: what was measured; megabytes: its weights as float32.
        milliseconds: one forward pass of one picture, in batches of 32, decoding not counted.
        accuracy, ci95: cross-validated, 0..1; over groups where the data has groups.
        difference, p_value: accuracy minus that of the best, and the paired test of it, corrected for
            the number of pairs (Holm); `None` for the best, p-value also where there are too few pictures.
    """

    backbone: str
    weights: str
    image_size: int
    parameters: int
    megabytes: float
    milliseconds: float
    accuracy: float
    ci95: list[float]
    difference: float | None = None
    p_value: float | None = None

    @property
    def label(self) -> str:
        """Name, with the file of its weights where that was chosen."""
        own = self.weights in ("bundled", "imagenet", "as given")
        return Path(self.backbone).name if own else f"{self.backbone}:{Path(self.weights).name}"


@dataclass(frozen=True)
class BackboneChoice:
    """Backbones by accuracy, best first.

    Attributes:
        pictures: how many the accuracies are of: those of training and validation, never of the test part.
        folds: of the cross-validation.
        notes: what the user should know, one sentence each.
    """

    candidates: tuple[Candidate, ...]
    pictures: int
    folds: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"BackboneChoice({', '.join(f'{c.label}: {c.accuracy:.3f}' for c in self.candidates)})"

    @property
    def best(self) -> Candidate:
        """The most accurate one."""
        return self.candidates[0]

    @property
    def recommended(self) -> Candidate:
        """The cheapest one, by milliseconds, that cannot be told from the best."""
        alike = [c for c in self.candidates if c is self.best or c.p_value is None or c.p_value >= LEVEL]
        return min(alike, key=lambda candidate: candidate.milliseconds)

    @property
    def front(self) -> tuple[Candidate, ...]:
        """Those that none is both more accurate and cheaper than (Pareto), cheapest first."""
        rows = sorted(self.candidates, key=lambda candidate: (candidate.milliseconds, -candidate.accuracy))
        return tuple(row for i, row in enumerate(rows) if all(row.accuracy > above.accuracy for above in rows[:i]))

    def in_words(self) -> list[str]:
        """Which is the best, and which one to take."""
        best, chosen = self.best, self.recommended
        low, high = (100 * end for end in best.ci95)
        said = [
            f"{best.label} at {best.image_size} px is the most accurate: {best.accuracy:.1%} ({low:.1f} to {high:.1f}) "
            f"of {self.pictures:,} pictures in {self.folds}-fold cross-validation, {best.milliseconds:.1f} ms a picture"
        ]
        if len(self.candidates) == 1:
            return said
        if chosen is best:
            cheapest = all(best.milliseconds <= candidate.milliseconds for candidate in self.candidates)
            why = "it is the cheapest, too" if cheapest else "every cheaper one is worse"
            return [*said, f"recommended: {best.label}; {why}"]
        return [
            *said,
            f"recommended: {chosen.label} at {chosen.image_size} px, {chosen.accuracy:.1%}: it cannot be told from the "
            f"best with so many pictures, and takes {chosen.milliseconds:.1f} ms a picture",
        ]

    def as_dict(self) -> dict:
        """What `backbones.json` says."""
        front = self.front
        rows = [{"label": c.label, **asdict(c), "on_front": c in front} for c in self.candidates]
        return {
            "candidates": rows,
            "recommended": self.recommended.label,
            "pictures": self.pictures,
            "folds": self.folds,
            "in_words": self.in_words(),
            "notes": list(self.notes),
        }

    def write(self, folder: Path) -> None:
        """Write `backbones.csv`, `.json` and `.svg` into a run folder."""
        said = self.as_dict()
        write_table(folder / "backbones.csv", list(said["candidates"][0]), said["candidates"])
        write_json(folder / "backbones.json", said)
        svg = plots.svg(draw_accuracy_against_cost, said, height=4.0)
        (folder / "backbones.svg").write_text(svg, encoding="utf-8")
