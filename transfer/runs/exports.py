"""From a trained network to a SavedModel that answers for itself, checked before it counts as written."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from transfer.data.images import fit_picture, read_picture
from transfer.data.tables import some
from transfer.errors import ExportError, OutputError, PictureError, unknown_name
from transfer.progress import console
from transfer.runs import graph_images
from transfer.runs.records import exportable
from transfer.writing import whole_folder

SIDECAR = Path("assets.extra", "transfer.json")  # TensorFlow Serving ignores this folder
PIXEL_TOLERANCE, BYTES_TOLERANCE = 1e-5, 1e-3
_NOTHING_TO_CHECK_WITH = (
    "no picture of its data can be read to check the export with; put the data back where it was in training"
)


def export(result, path: str | Path, format: str = "savedmodel") -> Path:
    """Write a trained network for use without this toolkit.

    Args:
        result: a `Result`, a `Comparison` (its best network), or the folder of a run.
        path: `NAME` of the layout of TensorFlow Serving; the model goes to `NAME/1`, or to the next
            number where there are versions already.
        format: `savedmodel`.

    Returns:
        The folder of the new version.

    A run whose pictures are gone can be checked no more: its own SavedModel, checked when it was written,
    is copied.

    Raises:
        ExportError: the exported model does not answer like the original; nothing is left behind.
        OutputError: `path` holds a model with classes that this one does not know, or cannot be written.
    """
    if format not in FORMATS:
        raise unknown_name("`format`", format, FORMATS)
    model, class_names, fit, samples = exportable(result)
    earlier = versions(Path(path))
    _check_upgrade(Path(path), earlier, class_names)
    target = Path(path, str(int(earlier[-1].name) + 1 if earlier else 1))
    if not samples and format == "savedmodel":
        _copy_checked(Path(result), target)
    else:
        FORMATS[format](model, class_names, fit, samples, target)
    return target


def versions(folder: Path) -> list[Path]:
    """The versions of a model in the layout of TensorFlow Serving, oldest first."""
    return sorted((path for path in folder.glob("*") if path.name.isdecimal()), key=lambda path: int(path.name))


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


def export_saved_model(
    model: keras.Model, class_names: Sequence[str], fit: str, samples: Sequence[Path], target: Path
) -> None:
    """Write a SavedModel with two endpoints and compare its answers on real pictures.

    - `serving_default`: `pictures` `(B, S, S, 3)` float32 0..255
    - `predict_bytes`: `files` `(B,)` strings, each an encoded JPEG, PNG, WebP, GIF or BMP

    Both give `probabilities` `(B, C)`, `label` `(B,)` and `class_names` `(B, C)`. Bytes that are no
    picture get NaN and an empty label; the others in the batch are answered.

    Raises:
        ExportError: the answers differ by more than 1e-5 from pixels or 1e-3 from bytes.
        OutputError: it cannot be written.
    """
    size = model.input_shape[1]
    with whole_folder(target) as partial:
        archive = keras.export.ExportArchive()
        archive.track(model)
        answer = endpoint(model, class_names)

        def from_bytes(files):
            pictures, readable = tf.map_fn(_decoder(size, fit), files, fn_output_signature=(tf.uint8, tf.bool))
            answers = answer(tf.cast(pictures, tf.float32))
            answers["probabilities"] = tf.where(readable[:, None], answers["probabilities"], float("nan"))
            answers["label"] = tf.where(readable, answers["label"], "")
            return answers

        pictures = tf.TensorSpec((None, size, size, 3), tf.float32, name="pictures")
        archive.add_endpoint("serving_default", lambda pictures: answer(pictures), input_signature=[pictures])
        files = tf.TensorSpec((None,), tf.string, name="files")
        archive.add_endpoint("predict_bytes", from_bytes, input_signature=[files])
        try:
            archive.write_out(str(partial), verbose=False)
        except tf.errors.OpError as error:  # such as "{{node}} PATH; No space left on device [Op:SaveV2]"
            raise OSError(error.message.rpartition("; ")[2].partition(" [Op:")[0]) from error
        sidecar = partial / SIDECAR
        sidecar.parent.mkdir()
        sidecar.write_text(json.dumps({"class_names": list(class_names), "image_size": size, "fit": fit}))
        _check(model, partial, size, fit, samples)


FORMATS: dict[str, Callable] = {"savedmodel": export_saved_model}


def _copy_checked(run: Path, target: Path) -> None:
    checked = run / "saved_model"
    if not checked.is_dir():
        raise ExportError(_NOTHING_TO_CHECK_WITH)
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


@functools.cache
def _decoder(size: int, fit: str):
    """The graph of `_decode_one`: it is large, and an export looks through it several times."""
    decode = tf.function(lambda data: _decode_one(data, size, fit), input_signature=[tf.TensorSpec((), tf.string)])
    return decode.get_concrete_function()


def _decode_one(data, size: int, fit: str):
    """(pixels, whether they could be read): a data set of one element can drop what fails, a graph cannot."""
    black = tf.zeros((size, size, 3), tf.uint8)
    read = tf.data.Dataset.from_tensors(data).map(
        lambda bytes_: (graph_images.fit_picture(graph_images.read_picture(bytes_), size, fit), True)
    )
    read = read.ignore_errors().concatenate(tf.data.Dataset.from_tensors((black, False))).take(1)
    options = tf.data.Options()
    options.autotune.enabled = False  # else TensorFlow 2.21 can hang when the process ends
    return read.with_options(options).get_single_element()


def _check(model: keras.Model, written: Path, size: int, fit: str, samples: Sequence[Path]) -> None:
    """Compare the written model with the original on pictures, from pixels and from bytes."""
    files, pixels = [], []
    for path in samples:
        try:
            pixels.append(fit_picture(read_picture(path), size, fit))
            files.append(path.read_bytes())
        except (PictureError, OSError):
            continue
    if not files:
        raise ExportError(_NOTHING_TO_CHECK_WITH)
    loaded = tf.saved_model.load(str(written))
    batch = np.stack(pixels).astype(np.float32)
    logits = model(keras.ops.convert_to_tensor(batch), training=False)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    from_pixels = loaded.signatures["serving_default"](pictures=tf.constant(batch))["probabilities"].numpy()
    pixel_gap = _gap(from_pixels, expected)
    alike = [row for row, data in enumerate(files) if graph_images.reads_like_pillow(data)]
    from_bytes = loaded.signatures["predict_bytes"](files=tf.constant([files[row] for row in alike], tf.string))
    bytes_gap = _gap(from_bytes["probabilities"].numpy(), expected[alike])
    if not pixel_gap <= PIXEL_TOLERANCE or not bytes_gap <= BYTES_TOLERANCE:
        raise ExportError(
            f"the exported model differs from the original by {pixel_gap:.2g} from pixels and {bytes_gap:.2g} from "
            f"bytes (at most {PIXEL_TOLERANCE:g} and {BYTES_TOLERANCE:g} are allowed); it was deleted"
        )


def _gap(answers: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(answers - expected).max(initial=0.0))
