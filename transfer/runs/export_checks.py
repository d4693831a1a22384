"""Does an exported model answer like its network, and which files does it read in another way than the toolkit does?"""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from transfer.data.images import WHOLE, read_fitted
from transfer.data.levels import UPPER_8, Levels, kind_of, range_of
from transfer.data.picture_files import FORMATS, picture_size
from transfer.data.tables import some
from transfer.errors import ExportError, PictureError
from transfer.runs.exportables import NOTHING_TO_CHECK_WITH, ExportSource
from transfer.runs.graph_images import square_decoder
from transfer.runs.plain_paths import plain_path

PIXEL_TOLERANCE, BYTES_TOLERANCE = 1e-5, 1e-3


def check_answers(found: ExportSource, written: Path) -> list[Path]:
    """Compare the answers of a written model with those of its network, from pixels and from bytes.

    Whether both decode a file alike is another question: one that the graph does not read to the very same square is
    judged as a PNG of its square.

    Args:
        found: what was exported.
        written: folder of the SavedModel.

    Returns:
        Those of its samples that `predict_bytes` cannot read, or that differ by more than one grey level.

    Raises:
        ExportError: the answers differ, or no sample can be read.
    """
    paths, files, squares, unlike = [], [], [], []
    model, fit, size = found.model, found.fit, found.model.input_shape[1]
    for path in found.samples:
        try:
            square, data = read_fitted(path, size, fit, levels=found.levels), path.read_bytes()
        except (PictureError, OSError):
            continue
        paths.append(path)
        squares.append(square)
        # Two decoders of a very large picture take too much memory side by side.
        files.append(_png(square) if _pixels(path) > WHOLE else data)
    if not files:
        raise ExportError(NOTHING_TO_CHECK_WITH)
    decode = square_decoder(size, fit, files)  # `predict_bytes`, which reads every kind, is asked for the same below
    for place, (path, square) in enumerate(zip(paths, squares)):
        pixels, readable = decode(tf.constant(files[place]))
        gap = np.abs(pixels.numpy().astype(int) - square).max() if readable else 255
        if gap > 1:
            unlike.append(path)
        if gap:
            files[place] = _png(square)
    batch = np.stack(squares).astype(np.float32)
    logits = model(keras.ops.convert_to_tensor(batch), training=False)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    with plain_path(written) as folder:
        endpoints = tf.saved_model.load(folder).signatures
        from_pixels = endpoints["serving_default"](pictures=tf.constant(batch))["probabilities"].numpy()
        from_bytes = endpoints["predict_bytes"](files=tf.constant(files, tf.string))["probabilities"].numpy()
    pixel_gap, bytes_gap = (float(np.abs(answers - expected).max()) for answers in (from_pixels, from_bytes))
    if not pixel_gap <= PIXEL_TOLERANCE or not bytes_gap <= BYTES_TOLERANCE:
        raise ExportError(
            f"the exported model differs from the original by {pixel_gap:.2g} from pixels and {bytes_gap:.2g} from "
            f"bytes (at most {PIXEL_TOLERANCE:g} and {BYTES_TOLERANCE:g} are allowed); it was deleted"
        )
    return unlike


def decoding_notes(files: Mapping[str, Path], known: Collection[Path] = (), levels: Levels | None = None) -> list[str]:
    """A sentence on the files that `predict_bytes` reads in another way than `transfer predict`, if there are any.

    Args:
        files: by the name that the sentence calls them.
        known: those of which that is known, whatever their headers say.
        levels: of their data set, see `data.levels`.
    """
    kinds = defaultdict(list)
    for name, path in files.items():
        if kind := _kind_unlike(path, levels or {}) or ("another kind" if path in known else ""):
            kinds[kind].append(name)
    if not kinds:
        return []
    count = sum(map(len, kinds.values()))
    said = "; ".join(f"{kind}: {some(names)}" for kind, names in sorted(kinds.items()))
    return [
        f"predict_bytes of the SavedModel does not read {count} of {len(files)} pictures, or not with the pixels of "
        f"transfer predict ({said}); convert such files to PNG or JPEG for it"
    ]


def _pixels(path: Path) -> int:
    return math.prod(picture_size(path))


def _png(square: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(square).save(file, "PNG")
    return file.getvalue()


def _kind_unlike(path: Path, levels: Levels) -> str:
    try:
        with Image.open(path, formats=FORMATS) as image:
            return kind_unlike(image, levels)
    except Exception:  # decoders raise every kind on damaged bytes; such a file is read by neither
        return ""


def kind_unlike(image: Image.Image, levels: Levels) -> str:
    """What makes the graph see other pixels in a sound file than `images.read_picture`, or "".

    Args:
        image: as Pillow opens it; nothing of it is decoded.
        levels: of its data set.
    """
    info = image.info
    if image.format == "BMP":
        return "compressed BMP" if info.get("compression", 0) not in (0, 3) else ""
    if image.format == "WEBP":
        return "animated WebP" if getattr(image, "is_animated", False) else ""
    if image.format == "GIF":
        return "GIF with a transparent colour" if "transparency" in info else ""
    if image.format == "PNG":
        level = levels.get(kind_of(image), UPPER_8)
        if level != UPPER_8:
            return f"PNG of 16 bits, of which {range_of(level)} is the range here and the upper 8 bits count there"
        hole = info.get("transparency")
        if isinstance(hole, tuple) and max(hole) > 255:
            return "PNG of 16 bits with a transparent colour"
        by_text = "exif" not in info and "Raw profile type exif" in info
        return "PNG with EXIF as text" if by_text else ""
    if image.format in ("JPEG", "MPO"):
        return "CMYK with a colour profile" if image.mode == "CMYK" and "icc_profile" in info else ""
    return str(image.format)
