"""From a trained network to a SavedModel that answers for itself, checked before it counts as written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import keras
import tensorflow as tf

from transfer.data.tables import some
from transfer.errors import ExportError, OutputError
from transfer.free_places import check_folder
from transfer.progress import console
from transfer.reading import run_config
from transfer.rooms import claim_first
from transfer.runs.export_checks import check_answers, decoding_notes
from transfer.runs.exportables import NOTHING_TO_CHECK_WITH, ExportSource, network_to_export
from transfer.runs.graph_images import square_decoder
from transfer.runs.network_places import versions
from transfer.runs.plain_paths import plain_path
from transfer.writing import whole_folder

SIDECAR = Path("assets.extra", "transfer.json")  # TensorFlow Serving ignores this folder


def export_version(result, path: Path) -> Path:
    """Write a trained network as the next version of a SavedModel.

    Args:
        result: a `Result`, a `Comparison` (its best network), or the folder of a run.
        path: `NAME` of the layout of TensorFlow Serving; the model goes to `NAME/1`, or to the next
            number where there are versions already, or another process writes one.

    Returns:
        The folder of the new version.

    A run whose pictures are gone can be checked no more: its own SavedModel, checked when it was written,
    is copied.

    Raises:
        ExportError: the exported model does not answer like the original; nothing is left behind.
        OutputError: `path` holds a model with classes that this one does not know, or cannot be written.
    """
    check_folder(Path(path))
    found = network_to_export(result)
    earlier = versions(Path(path))
    _check_upgrade(Path(path), earlier, found.class_names)
    newest = int(earlier[-1].name) if earlier else 0
    with claim_first(Path(path, str(number)) for number in count(newest + 1)) as target:
        if not found.samples:
            _copy_checked(result, target)
        else:
            unlike = export_saved_model(found, target)
            tell(decoding_notes({path.name: path for path in found.samples}, unlike, found.levels))
    return target


def tell(notes: Sequence[str]) -> None:
    """Print what the user should know, on standard error."""
    for note in notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)


def _check_upgrade(folder: Path, earlier: Sequence[Path], class_names: Sequence[str]) -> None:
    """Whoever serves the newest version goes on asking for what the one before knew."""
    lost = sorted(set(_classes_of(earlier[-1])) - set(class_names)) if earlier else []
    if lost:
        raise OutputError(
            f"{folder} holds a model that knows {some(lost)}, which this one does not, so that it is no new version "
            "of it; name another place"
        )


def _classes_of(version: Path) -> list[str]:
    try:
        return json.loads((version / SIDECAR).read_text())["class_names"]
    except (OSError, ValueError, KeyError):  # something else wrote it
        return []


def export_saved_model(found: ExportSource, target: Path) -> list[Path]:
    """Write a SavedModel with two endpoints and compare its answers on real pictures.

    - `serving_default`: `pictures` `(B, S, S, 3)` float32 0..255
    - `predict_bytes`: `files` `(B,)` strings, each an encoded JPEG, PNG, WebP, GIF or BMP

    Both give `probabilities` `(B, C)`, `label` `(B,)` and `class_names` `(B, C)`. Bytes that are no
    picture, or one of more pixels than `limit_pixels` allows now, get probabilities of 0, an empty label and
    `readable` `(B,)` false; the others in the batch are answered.

    An empty batch gives empty arrays.

    Returns:
        Those of the samples that `predict_bytes` does not read like the toolkit does.

    Raises:
        ExportError: the answers differ by more than 1e-5 from pixels or 1e-3 from bytes.
        OutputError: it cannot be written.
    """
    model, class_names, fit = found.model, found.class_names, found.fit
    size = model.input_shape[1]
    with whole_folder(target) as partial:
        archive = keras.export.ExportArchive()
        answer = endpoint(model, class_names)

        def from_bytes(files):
            square = tf.TensorSpec((size, size, 3), tf.uint8)
            pictures, readable = tf.map_fn(
                square_decoder(size, fit), files, fn_output_signature=(square, tf.TensorSpec((), tf.bool))
            )
            answers = answer(tf.cast(pictures, tf.float32))
            answers["probabilities"] = tf.where(readable[:, None], answers["probabilities"], 0.0)  # NaN is no JSON
            answers["label"] = tf.where(readable, answers["label"], "")
            answers["readable"] = readable
            return answers

        pictures = tf.TensorSpec((None, size, size, 3), tf.float32, name="pictures")
        archive.add_endpoint("serving_default", lambda pictures: answer(pictures), input_signature=[pictures])
        files = tf.TensorSpec((None,), tf.string, name="files")
        archive.add_endpoint("predict_bytes", from_bytes, input_signature=[files])
        try:
            with plain_path(partial) as folder:
                archive.write_out(folder, verbose=False)
        except tf.errors.OpError as error:  # such as "{{node}} PATH; No space left on device [Op:SaveV2]"
            raise OSError(error.message.rpartition("; ")[2].partition(" [Op:")[0]) from error
        sidecar = partial / SIDECAR
        sidecar.parent.mkdir()
        about = {"class_names": list(class_names), "image_size": size, "fit": fit, "levels": found.levels}
        sidecar.write_text(json.dumps(about))
        return check_answers(found, partial)


def _copy_checked(result, target: Path) -> None:
    if not isinstance(result, str | Path) or not (checked := Path(result, "saved_model")).is_dir():
        raise ExportError(NOTHING_TO_CHECK_WITH)
    run = checked.parent
    run_config(run, *(path.relative_to(run).as_posix() for path in checked.rglob("*") if path.is_file()))
    with whole_folder(target) as partial:
        shutil.copytree(checked, partial, dirs_exist_ok=True)
    console.print(
        f"the pictures of {run} are gone: its own SavedModel is copied, which was checked when it was written",
        markup=False,
        soft_wrap=True,
    )


def endpoint(model: keras.Model, class_names: Sequence[str]) -> Callable:
    """What a SavedModel does with `pictures` `(B, S, S, 3)` float32 0..255: see `export_saved_model`.

    One graph for all that call it: Keras and TensorFlow look through a network several times where it is written.
    """
    names = tf.constant([name.encode("utf-8", "surrogateescape") for name in class_names])

    @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="pictures")])
    def answer(pictures):
        probabilities = tf.nn.softmax(tf.cast(model(pictures, training=False), tf.float32))
        return {
            "probabilities": probabilities,
            "label": tf.gather(names, tf.argmax(probabilities, axis=1)),
            "class_names": tf.tile(names[None], (tf.shape(probabilities)[0], 1)),
        }

    return answer.get_concrete_function()
