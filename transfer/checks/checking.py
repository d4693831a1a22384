"""Look before you train: DATA to findings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transfer import settings
from transfer.checks import quality
from transfer.checks.crops import cropped_pairs, without_other_moments
from transfer.checks.duplicates import Pair, keep_together, near_pairs
from transfer.checks.findings import SEVERITIES, Facts, Finding
from transfer.checks.inspection import Inspection, inspect_files
from transfer.data.folders import LabelledImages, Looked, load_images
from transfer.data.tables import some
from transfer.engine_packages import require_engine
from transfer.errors import DataError, unknown_name
from transfer.names import AUTO

NEAR = ("hash", "features", "none")
FEW = 24  # pictures that are looked at where not all are
FEATURE_SIZE = 96  # pixels: enough to recognise a picture by, and quick


@dataclass(frozen=True)
class Check:
    """What was found in DATA.

    Attributes:
        images: the pictures that can be read, from `load_images`.
        findings: the problems first, then warnings, then notes.
        inspections: one a picture.
        near: pairs of near duplicates.
        seconds: how long it took.
    """

    images: LabelledImages
    findings: tuple[Finding, ...]
    inspections: tuple[Inspection, ...]
    near: tuple[Pair, ...]
    seconds: float

    def __repr__(self) -> str:
        counts = self.as_dict()["counts"]
        said = ", ".join(f"{number} {severity}s" for severity, number in counts.items())
        return f"Check({said}, {self.images!r})"

    def __getitem__(self, kind: str) -> tuple[Finding, ...]:
        """The findings of one kind, see `quality.KINDS`."""
        if kind not in (names := [row.name for row in quality.KINDS]):
            raise unknown_name("finding", kind, names)
        return tuple(finding for finding in self.findings if finding.kind == kind)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that make a result wrong."""
        return tuple(finding for finding in self.findings if finding.severity == "problem")

    def as_dict(self) -> dict:
        """The findings as plain values with file names, for JSON."""
        names = self.images.names
        return {
            "schema_version": 1,
            "images": len(self.images),
            "classes": self.images.counts(),
            "seconds": round(self.seconds, 3),
            "counts": {name: sum(f.severity == name for f in self.findings) for name in SEVERITIES},
            "findings": [
                {
                    "kind": finding.kind,
                    "severity": finding.severity,
                    "message": finding.message,
                    "advice": finding.advice,
                    "sets": [[names[i] for i in indices] for indices in finding.sets],
                    "details": list(finding.details),
                    "files": list(finding.files),
                    "figures": finding.figures or {},
                }
                for finding in self.findings
            ],
        }


def check(
    data: str | Path | LabelledImages,
    groups: str | Path | None = None,
    *,
    near: str = "hash",
    labels: bool = False,
    seed: int = 0,
    cache: bool = True,
    max_size: float = settings.MAX_SIZE,
    engine: str = AUTO,
) -> Check:
    """Look for what makes data misleading, and for what is good to know before training.

    Every file is read once, in parallel; what was measured is kept in the user's cache folder, so that
    a second look reads only files that changed.

    Args:
        data: what `load_images` takes, or what it returned. A single class and classes of one picture
            are findings here.
        groups: see `load_images`.
        near: how near duplicates are looked for: `hash` by perceptual hash, `features` by that of the
            bundled backbone too (finds larger crops, takes a forward pass), or `none`.
        labels: look for wrong labels, with features of the bundled backbone.
        seed: of the folds in which labels are judged.
        cache: use and keep measures and near duplicates.
        max_size: see `load_images`.
        engine: what computes the features, see `extract_features`.

    Returns:
        The `Check`.
    """
    require_engine(engine)
    if near not in NEAR:
        raise unknown_name("near", near, NEAR)
    start = time.perf_counter()
    images, inspections = _inspected(data, groups, cache, max_size)
    features = _features(images, engine) if labels or near == "features" else None
    pairs = [] if near == "none" else near_pairs(inspections, cache)
    if near == "features":
        known = {pair[:2] for pair in pairs}
        pairs += [pair for pair in cropped_pairs(images.paths, inspections, features) if pair[:2] not in known]
    suspects = _suspects(features, keep_together(images, pairs), seed) if labels else None
    # What is no copy is no wrong label, and yet a leak where the two are divided.
    copies = without_other_moments(pairs, images.labels, images.paths, inspections)
    facts = Facts(images, inspections, copies if near != "none" else None, suspects)
    findings = quality.find(facts)
    return Check(images, tuple(findings), tuple(inspections), tuple(pairs), time.perf_counter() - start)


def quick_findings(images: LabelledImages, fit: str = "crop") -> list[Finding]:
    """What labels, names, groups, parts and digests tell, and a look at a few files.

    Args:
        images: from `load_images`.
        fit: how pictures will be brought to the square, see `images.fit_picture`.
    """
    few = np.linspace(0, len(images) - 1, min(FEW, len(images))).astype(int).tolist()
    looked = zip(few, inspect_files([images.paths[index] for index in few]))
    return quality.find(Facts(images, sample={index: file for index, file in looked if not file.reason}, fit=fit))


def _inspected(data, groups, cache: bool, max_size: float) -> tuple[LabelledImages, list[Inspection]]:
    if isinstance(data, LabelledImages):
        return _readable(data, inspect_files(data.paths, cache))
    by_path: dict[Path, Inspection] = {}

    def look(paths: Sequence[Path]) -> list[Looked]:
        by_path.update(zip(paths, inspect_files(paths, cache)))
        files = [by_path[path] for path in paths]
        return [Looked(file.digest, file.reason, file.kind, file.measured) for file in files]

    images = load_images(data, groups, lenient=True, look=look, max_size=max_size)
    return images, [by_path[path] for path in images.paths]


def _readable(images: LabelledImages, inspections: list[Inspection]) -> tuple[LabelledImages, list[Inspection]]:
    """Without the pictures that were listed but cannot be decoded, or have gone since."""
    bad = [(name, file.reason) for name, file in zip(images.names, inspections) if file.reason]
    good = [index for index, file in enumerate(inspections) if not file.reason]
    if not good:
        raise DataError(f"none of {len(bad)} files can be read, {some(f'{n} {r}' for n, r in bad)}")

    def of(values: Sequence) -> tuple:
        return tuple(values[index] for index in good)

    kept = replace(
        images,
        paths=of(images.paths),
        names=of(images.names),
        labels=images.labels[good],
        digests=of(images.digests),
        groups=images.groups and of(images.groups),
        given=of(images.given),
        unreadable=(*images.unreadable, *bad),
    )
    return kept, [inspections[index] for index in good]


def _features(images: LabelledImages, engine: str) -> np.ndarray:
    from transfer import quiet

    quiet.import_tensorflow()  # only what needs a network waits for TensorFlow
    from transfer.networks.backbones import load_backbone
    from transfer.networks.features import extract_features

    return extract_features(load_backbone("bundled", FEATURE_SIZE), images, engine=engine)


def _suspects(features: np.ndarray, images: LabelledImages, seed: int) -> Sequence:
    from transfer.checks.label_errors import suspected_labels  # scikit-learn takes a second to import

    return suspected_labels(features, images.labels, images.groups, seed)
