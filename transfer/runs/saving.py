"""The run folder: results, SavedModel and report, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from transfer.checks.checking import quick_findings
from transfer.checks.findings import Finding
from transfer.checks.quality import caveats
from transfer.errors import require_kind
from transfer.learning.results import Result
from transfer.runs.export_checks import decoding_notes
from transfer.runs.exportables import network_to_export
from transfer.runs.exports import export_saved_model, tell
from transfer.runs.kept_results import until_saved
from transfer.runs.records import figures, write_findings, write_result
from transfer.runs.report import write_report
from transfer.runs.run_folders import seal
from transfer.writing import RUN, whole_folder


def save_run(
    result,
    folder: str | Path,
    command: str = "",
    overwrite: bool = False,
    also: Sequence = (),
    findings: Sequence[Finding] | None = None,
) -> Path:
    """Write a `Result` or a `Comparison` as a run folder, with its SavedModel and report.

    A comparison's folder holds its best network (by the validation part) like a single run's, and
    one folder for each method below it.

    Args:
        result: from `train`, `compare` or `repeat_run`.
        folder: to write.
        command: that was typed, for the record.
        overwrite: replace a run that is there.
        also: a `LearningCurve`, a `BackboneChoice` or a `CrossValidation` to be put into the run and its report.
        findings: of a `Check` of its pictures, for the report; by default what names and contents tell
            without a look at any picture.

    Returns:
        `folder`.

    Raises:
        OutputError: `folder` holds something already and `overwrite` is off, or cannot be written.
        DataError: `result` is something else.
        ExportError: the SavedModel does not answer like the network.
    """
    folder = Path(folder)
    results = dict(result) if isinstance(result, dict) and hasattr(result, "best") else {}
    if not results:
        require_kind("result", result, Result, "train or compare")
    best = result[result.best] if results else result
    findings = quick_findings(best.images, best.fit) if findings is None else findings
    doubts = caveats(findings)
    with until_saved([best, *results.values(), *also]), whole_folder(folder, overwrite, RUN) as partial:
        unlike = export_saved_model(network_to_export(best), partial / "saved_model")
        notes = decoding_notes(dict(zip(best.images.names, best.images.paths)), unlike, best.images.levels)
        noted = replace(best, notes=[*best.notes, *notes])
        for name, each in results.items():
            write_result(noted if each is best else each, partial / name, command)
        said = comparison_figures(result, command, notes) if results else figures(noted, command)
        said["caveats"] = doubts
        write_result(noted, partial, command, said)
        for more in also:
            more.write(partial)
        write_findings(findings, partial)
        seal(partial)
        write_report(partial, best.model)
    tell(notes)
    return folder


def comparison_figures(comparison, command: str = "", notes: Sequence[str] = ()) -> dict:
    """What `result.json` says of a comparison; `notes` are of its best network alone."""
    methods = {name: figures(result, command) for name, result in comparison.items()}
    best = methods[comparison.best]
    methods[comparison.best] = best | {"notes": [*best["notes"], *notes]}
    return {
        "command": command,
        "classes": list(next(iter(comparison.values())).class_names),
        "best": comparison.best,
        "chosen": comparison.chosen._asdict(),
        "methods": methods,
        "differences": comparison.differences,
        "in_words": comparison.in_words(),
    }
