"""From a trained network to files, each compared with it before it counts as written."""

from __future__ import annotations

import gc
from pathlib import Path

from transfer.errors import ExportError, MissingExtraError, TransferError
from transfer.exports.formats import FORMATS
from transfer.exports.model_card import write_card
from transfer.exports.parity import Reference, compare_answers, objection, reference
from transfer.exports.runtimes import missing_packages, require_packages
from transfer.free_places import check_free
from transfer.names import ALL, check_format
from transfer.networks.conversions import conversion_failure
from transfer.progress import console
from transfer.quiet import told_only_on_failure
from transfer.reading import JUDGED
from transfer.runs.exportables import ExportSource, network_to_export, require_pictures
from transfer.runs.exports import export_version
from transfer.writing import whole_folder, write_json


def export(result, path: str | Path, format: str = "savedmodel") -> Path:
    """Write a trained network for use without this toolkit.

    Args:
        result: a `Result`, a `Comparison` (its best network), or the folder of a run.
        path: for a SavedModel `NAME` of the layout of TensorFlow Serving: the model goes to `NAME/1`, or to the next
            number where there are versions already. For others a folder, in which each format gets one of its
            name: the file, a model card `README.md`, and `parity.json`, how it compares with Keras.
        format: one of `names.EXPORTS`, or `all`: those that are installed and answer like the network.

    Returns:
        The folder of the new version, of the format, or of all of them.

    Raises:
        ExportError: the file does not answer like the network, which is found out on pictures of its run, or
            the format cannot hold the network; nothing is left behind.
        MissingExtraError: a package of the format is not installed.
        OutputError: the place is taken, or cannot be written.
    """
    check_format(format)
    require_packages(format)
    if format == "savedmodel":
        return export_version(result, Path(path))
    folder = Path(path)
    wanted = list(FORMATS) if format == ALL else [format]
    for name in wanted:
        check_free(folder / name)
    source = network_to_export(result)
    require_pictures(source)
    known = reference(source)
    rows, left_out = {}, {}
    for name in wanted:
        try:
            rows[name] = _write(source, known, name, folder / name)
            if format == ALL:  # minutes may pass
                console.print(f"{name} is written", markup=False)
        except (ExportError, MissingExtraError) as error:
            if format != ALL:
                raise
            left_out[name] = str(error)
    if not rows:
        raise ExportError("; ".join(left_out.values()))
    if format == ALL:
        write_json(folder / JUDGED, {"formats": rows, "left_out": left_out})
    return folder if format == ALL else folder / format


def _write(source: ExportSource, known: Reference, name: str, place: Path) -> dict:
    if missing := missing_packages(name):
        raise MissingExtraError(missing)
    row = FORMATS[name]
    with whole_folder(place) as partial:
        judged, refused = _first_that_may_stand(source, known, name, partial / row.file)
        judged["instead_of"] = refused
        inside = partial.rglob("*")
        judged["megabytes"] = sum(path.stat().st_size for path in inside if path.is_file()) / 1e6
        write_card(source, name, row, judged, partial)
        write_json(partial / JUDGED, {"formats": {name: judged}, "left_out": {}})
    return judged


def _first_that_may_stand(source: ExportSource, known: Reference, name: str, file: Path) -> tuple[dict, dict[str, str]]:
    """(figures of the file that is written, the numbers that it was not to compute with, and why)."""
    row, refused = FORMATS[name], {}
    for numbers, write in row.writers.items():
        try:
            with told_only_on_failure():
                write(source, file)
                judged = compare_answers(row.open(file), known, row.batch)
        except (TransferError, OSError):
            raise
        except Exception as error:  # each converter has errors of its own
            raise ExportError(
                f"the format {name} cannot hold this network: {conversion_failure(error, source.model)}"
            ) from error
        finally:
            gc.collect()  # converters leave cycles with copies of all weights
        if not (why := objection(judged, row.gate)):
            return {"numbers": numbers} | judged, refused
        refused[numbers] = why
    raise ExportError(f"{name} was deleted: {'; '.join(f'in {numbers} {why}' for numbers, why in refused.items())}")
