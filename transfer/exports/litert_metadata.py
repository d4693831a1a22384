"""What a LiteRT file says of itself, where MediaPipe Tasks and Android Studio look for it.

The layout is that of `metadata_schema.fbs` of TensorFlow Lite: a flatbuffer in a buffer of the model that is called
`TFLITE_METADATA`, and the files that it names as a zip archive behind the model.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from transfer.data.tables import some
from transfer.exports.litert_graphs import packed, unpacked

BUFFER, IDENTIFIER = "TFLITE_METADATA", b"M001"
LABELS, FACTS = "labels.txt", "transfer.json"
_AXIS_LABELS, _RGB, _IMAGE_PROPERTIES = 2, 1, 2  # of the enums AssociatedFileType, ColorSpaceType, ContentProperties


def add_metadata(file: Path, said: Mapping) -> None:
    """Put metadata and a label file into a LiteRT file.

    Args:
        file: is changed.
        said: of `exportables.facts`.
    """
    file.write_bytes(_with_buffer(file.read_bytes(), _metadata(said)))
    with zipfile.ZipFile(file, "a") as archive:
        names = "\n".join(name.replace("\n", " ") for name in said["class_names"])
        archive.writestr(LABELS, names)
        archive.writestr(FACTS, json.dumps(said))


def _with_buffer(model: bytes, metadata: bytes) -> bytes:
    """A LiteRT model with one more buffer, of a name."""
    from ai_edge_litert import schema_py_generated as schema

    whole = unpacked(model)
    added, entry = schema.BufferT(), schema.MetadataT()
    added.data = list(metadata)
    entry.name, entry.buffer = BUFFER, len(whole.buffers)
    whole.buffers.append(added)
    whole.metadata = [*(whole.metadata or []), entry]
    return packed(whole)


def _metadata(said: Mapping) -> bytes:
    """The table `ModelMetadata`: each table below is written as its fields by their number in the schema."""
    import flatbuffers

    builder = flatbuffers.Builder()

    def text(value: str):
        return "offset", builder.CreateString(value)

    def tables(*offsets: int):
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return "offset", builder.EndVector()

    def table(fields: Mapping[int, tuple[str, int]]) -> int:
        builder.StartObject(1 + max(fields))
        for slot, (kind, value) in fields.items():
            if kind == "offset":
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            elif kind == "uint":
                builder.PrependUint32Slot(slot, value, 0)
            else:
                builder.PrependInt8Slot(slot, value, 0)
        return builder.EndObject()

    size = said["image_size"]
    square = table({0: ("uint", size), 1: ("uint", size)})  # ImageSize: width, height
    image = table({0: ("enum", _RGB), 1: ("offset", square)})  # ImageProperties: color_space, default_size
    content = table({0: ("enum", _IMAGE_PROPERTIES), 1: ("offset", image)})  # Content: type and value of the union
    labels = table({0: text(LABELS), 1: text("names of the classes"), 2: ("enum", _AXIS_LABELS)})  # AssociatedFile
    pictures = table(  # TensorMetadata: name, description, content
        {0: text("image"), 1: text(f"RGB, 0 to 255, {size} x {size} by {said['fit']}"), 3: ("offset", content)}
    )
    probabilities = table(  # TensorMetadata: name, description, associated_files
        {0: text("probability"), 1: text("of each class"), 6: tables(labels)}
    )
    graph = table({2: tables(pictures), 3: tables(probabilities)})  # SubGraphMetadata: inputs, outputs
    about = f"{said['method']} {said['backbone']}, run {said['run']}; classes: {some(said['class_names'])}"
    facts = table({0: text(FACTS), 1: text("all that the run says of it")})
    root = table(  # ModelMetadata: name, description, version, subgraphs, author, license, associated files, parser
        {
            0: text(said["run"]), 1: text(about), 2: text("1"), 3: tables(graph), 4: text(said["written_by"]),
            5: text(said["weights_licence"]), 6: tables(facts), 7: text("1.0.0"),
        }
    )  # fmt: skip
    builder.Finish(root, IDENTIFIER)
    return bytes(builder.Output())
