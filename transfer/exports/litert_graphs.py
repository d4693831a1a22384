"""A LiteRT file as a graph: which of its operations hold the weights, and what these may become.

Whole numbers cost most at the two ends of a network: pictures are rounded again by each step that scales them, pooled
features of very different sizes share one scale, and so do the weights of a head behind a standardisation. What lies
before the first and behind the last layer with many weights is therefore better left in float32; it is hardly any work.
"""

from __future__ import annotations

import math

import numpy as np

LARGEST = 127  # of int8; weights have no -128
HEAD = 1 / 16  # of the weights: a head that has more is rounded, or the file would be too large


def unpacked(model: bytes):
    """A LiteRT file as the objects of its schema."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))


def packed(model) -> bytes:
    """The file of `unpacked` objects."""
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def names_outside(model: bytes) -> list[str]:
    """What operations are called that lie before the first or behind the last layer whose weights become int8.

    Args:
        model: a LiteRT file in float32.
    """
    model = unpacked(model)
    (graph,), inside = model.subgraphs, {id(operation) for operation, _ in _layers(model)}
    behind, before = set(), set()
    for operation in graph.operators:
        if id(operation) in inside or behind.intersection(operation.inputs):
            behind.update(operation.outputs)
    for operation in reversed(graph.operators):
        if id(operation) in inside or before.intersection(operation.outputs):
            before.update(operation.inputs)
    return [
        graph.tensors[operation.outputs[0]].name.decode()
        for operation in graph.operators
        if id(operation) not in inside and not (behind & before).intersection(operation.outputs)
    ]


def with_int8_weights(model: bytes) -> bytes:
    """The same file with weights in int8, a scale for each output channel; its runtime turns them back into float32.

    Args:
        model: a LiteRT file in float32; weights that are on such a grid already lose nothing.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = unpacked(model)
    (graph,), added, done = model.subgraphs, [], set()
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 5  # the first that knows a scale for each channel
    model.operatorCodes.append(code)
    for operation, axis in _layers(model):
        index = operation.inputs[1]
        weights = graph.tensors[index]
        if index in done:
            continue
        done.add(index)
        values = _values(model, weights)
        scale = np.abs(values).max(tuple(i for i in range(values.ndim) if i != axis), keepdims=True) / LARGEST
        scale[scale == 0] = 1
        whole, back = schema.TensorT(), schema.OperatorT()
        whole.name, whole.shape, whole.type = weights.name + b"_int8", weights.shape, schema.TensorType.INT8
        whole.quantization = schema.QuantizationParametersT()
        whole.quantization.scale = scale.ravel()
        whole.quantization.zeroPoint = np.zeros(scale.size, np.int64)
        whole.quantization.quantizedDimension = axis
        whole.buffer, weights.buffer = weights.buffer, 0
        model.buffers[whole.buffer].data = np.round(values / scale).astype(np.int8).ravel().view(np.uint8)
        back.opcodeIndex, back.inputs, back.outputs = len(model.operatorCodes) - 1, [len(graph.tensors)], [index]
        graph.tensors.append(whole)
        added.append(back)
    graph.operators = added + graph.operators
    return packed(model)


def _layers(model) -> list[tuple]:
    """(operation, axis of its output channels) of each layer with weights in float32, but for a small head."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = schema.BuiltinOperator
    axes = {kinds.CONV_2D: 0, kinds.DEPTHWISE_CONV_2D: 3, kinds.FULLY_CONNECTED: 0}
    (graph,), found = model.subgraphs, []
    for operation in graph.operators:
        kind = model.operatorCodes[operation.opcodeIndex].builtinCode
        if kind in axes and _is_float(model, graph.tensors[operation.inputs[1]]):
            sizes = math.prod(graph.tensors[operation.inputs[1]].shape)
            found.append((operation, axes[kind], kind, sizes))
    *others, last = found or [None]
    if others and last[2] == kinds.FULLY_CONNECTED and last[3] < HEAD * sum(size for *_, size in found):
        found = others
    return [(operation, axis) for operation, axis, *_ in found]


def _is_float(model, tensor) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    return tensor.type == schema.TensorType.FLOAT32 and model.buffers[tensor.buffer].data is not None


def _values(model, tensor) -> np.ndarray:
    return np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32).reshape(tensor.shape)
