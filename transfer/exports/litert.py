"""LiteRT (once TensorFlow Lite), in four kinds of numbers; run by its own interpreter."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from transfer.exports.answering import answering_network
from transfer.exports.litert_graphs import names_outside, with_int8_weights
from transfer.exports.litert_metadata import add_metadata
from transfer.exports.rounding import rounded
from transfer.networks.conversions import Answer, frozen_graph
from transfer.runs.exportables import ExportSource, facts

CALIBRATED_ON, ROUNDED_ON = 200, 128  # training pictures
_BUILTINS = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # all that a phone has without TensorFlow
_SMALLER = {"optimizations": [tf.lite.Optimize.DEFAULT]}
_ROUNDED: WeakKeyDictionary[keras.Model, keras.Model] = WeakKeyDictionary()  # the kinds come one after the other


def write_float32(source: ExportSource, file: Path) -> None:
    """Float32 inside, pictures as uint8."""
    _write(source, file, "uint8", target_spec=_BUILTINS)


def write_float16(source: ExportSource, file: Path) -> None:
    """Weights in float16: half the size; processors compute with them in float32."""
    _write(source, file, "uint8", target_spec=_BUILTINS | {"supported_types": [tf.float16]}, **_SMALLER)


def write_int8(source: ExportSource, file: Path) -> None:
    """Whole numbers from the first layer with many weights to the last, weights by channel; float32 at both ends."""
    source, calibrate = _with_rounded_kernels(source), _calibration(source, np.uint8)
    options = {"target_spec": _BUILTINS}
    outside = names_outside(_converter(source, "uint8", **options).convert())
    converter = _converter(source, "uint8", representative_dataset=calibrate, **options, **_SMALLER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that TensorFlow's own interpreter will go
        quantizer = tf.lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=calibrate,
            debug_options=tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=outside),
        )
    _finish(quantizer.get_nondebug_quantized_model(), source, file)


def write_int8_weights(source: ExportSource, file: Path) -> None:
    """Weights as whole numbers by channel, all else in float32: as small, and nearer to the network."""
    source = _with_rounded_kernels(source)
    _finish(with_int8_weights(_converter(source, "uint8", target_spec=_BUILTINS).convert()), source, file)


def write_uint8(source: ExportSource, file: Path) -> None:
    """Whole numbers everywhere, for hardware that knows no others: probabilities are uint8 with a scale as well."""
    whole = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]}
    ends = {"inference_input_type": tf.uint8, "inference_output_type": tf.uint8}
    source, calibrate = _with_rounded_kernels(source), _calibration(source, np.float32)
    _write(source, file, "float32", target_spec=whole, representative_dataset=calibrate, **ends, **_SMALLER)


def _write(source: ExportSource, file: Path, dtype: str, **options) -> None:
    _finish(_converter(source, dtype, **options).convert(), source, file)


def _converter(source: ExportSource, dtype: str, target_spec: Mapping, **options):
    # One picture at a time: with a batch of any size XNNPACK, which is fast, is not used.
    graph = frozen_graph(answering_network(source.model, dtype), batch=1)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module())
    for owner, values in ((converter.target_spec, target_spec), (converter, options)):
        for name, value in values.items():
            setattr(owner, name, value)
    return converter


def _finish(model: bytes, source: ExportSource, file: Path) -> None:
    file.write_bytes(model)
    add_metadata(file, facts(source))


def _with_rounded_kernels(source: ExportSource) -> ExportSource:
    if source.model not in _ROUNDED:
        pictures, _ = source.pictures("train", ROUNDED_ON)
        found = rounded(source.model, pictures) if len(pictures) else source.model
        if found is source.model:
            return source
        _ROUNDED[source.model] = found
    return source._replace(model=_ROUNDED[source.model])


def _calibration(source: ExportSource, dtype: type) -> Callable:
    pictures, _ = source.pictures("train", CALIBRATED_ON)

    def examples():
        for picture in pictures:
            yield [picture[None].astype(dtype)]

    return examples


def open_litert(file: Path) -> Answer:
    """The answers of a LiteRT file on all cores, one picture after the other."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    (takes,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = gives["quantization"]

    def answer(pictures: np.ndarray) -> np.ndarray:
        rows = []
        for picture in pictures:
            interpreter.set_tensor(takes["index"], picture[None].astype(takes["dtype"]))
            interpreter.invoke()
            row = interpreter.get_tensor(gives["index"])[0].astype(np.float32)
            rows.append((row - zero) * scale if scale else row)
        return np.stack(rows)

    return answer
