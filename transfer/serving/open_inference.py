"""The Open Inference Protocol, version 2, over REST, as KServe and Triton speak it.

Its text: github.com/kserve/open-inference-protocol.

`files` are BYTES: in JSON as base64, or raw behind it as the extension for binary tensors has them, each after its
length in four bytes. `pictures` are UINT8 `(B, H, W, 3)`.
"""

from __future__ import annotations

import math
import struct

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from transfer.data.sources import Source
from transfer.serving.asking import Service, ask, label_of, rounded
from transfer.serving.batching import Answer
from transfer.serving.json_bodies import from_base64, parsed_object, pixels_from, read_body
from transfer.serving.refusals import Refusal
from transfer.serving.served_models import Version

HEADER_LENGTH = "Inference-Header-Content-Length"
INPUTS = {"files": "BYTES", "pictures": "UINT8"}
_BODY = {
    "description": "tensors: `files` of BYTES, in base64 or as binary data, or `pictures` of UINT8",
    "content": {
        "application/json": {
            "example": {"inputs": [{"name": "files", "shape": [1], "datatype": "BYTES", "data": ["/9j/4AAQ..."]}]}
        }
    },
}


def inference_routes(service: Service, version_of_server: str) -> APIRouter:
    """`/v2/...`: inference, health and metadata."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    models = service.models

    @router.get("")
    async def server() -> dict:
        """What this server is."""
        return {"name": "transfer", "version": version_of_server, "extensions": ["binary_tensor_data"]}

    @router.get("/health/live")
    async def live() -> dict:
        """Whether the server runs."""
        return {"live": True}

    @router.get("/health/ready")
    async def ready() -> dict:
        """Whether all models answer: none is asked for before it is loaded."""
        return {"ready": True}

    @router.get("/models/{name}")
    async def metadata(name: str) -> dict:
        """The tensors of a model."""
        return _metadata(models.version(name), [each.number for each in models.versions(name)])

    @router.get("/models/{name}/versions/{version}")
    async def metadata_of_version(name: str, version: int) -> dict:
        """The tensors of one version."""
        return _metadata(models.version(name, version), [version])

    @router.get("/models/{name}/ready")
    async def model_ready(name: str) -> dict:
        """Whether a model answers."""
        return {"name": models.version(name).model, "ready": True}

    @router.get("/models/{name}/versions/{version}/ready")
    async def version_ready(name: str, version: int) -> dict:
        """Whether one version answers."""
        return {"name": models.version(name, version).model, "ready": True}

    @router.post("/models/{name}/infer", openapi_extra={"requestBody": _BODY})
    async def infer(name: str, request: Request) -> JSONResponse:
        """Name pictures by the newest version."""
        return await answered(name, None, request)

    @router.post("/models/{name}/versions/{version}/infer", openapi_extra={"requestBody": _BODY})
    async def infer_by_version(name: str, version: int, request: Request) -> JSONResponse:
        """Name pictures by one version."""
        return await answered(name, version, request)

    async def answered(name: str, number: int | None, request: Request) -> JSONResponse:
        length = request.headers.get(HEADER_LENGTH)
        pictures, wanted, known_by = await read_body(request, lambda body: _asked(*_parts(body, length)))
        version = models.version(name, number)
        answers = await ask(service, version, pictures)
        outputs = [each for each in _outputs(version, answers) if each["name"] in wanted]
        said = {"model_name": version.model, "model_version": str(version.number), "outputs": outputs}
        return JSONResponse(said | known_by)

    return router


def _parts(body: bytes, length: str | None) -> tuple[dict, bytes]:
    """The JSON of a request, and the binary data behind it."""
    if length is None:
        return parsed_object(body), b""
    if not (length.isascii() and length.isdecimal() and int(length) <= len(body)):
        raise Refusal(400, f"{HEADER_LENGTH} is {length!r} of a body of {len(body)} bytes; expected that of its JSON")
    return parsed_object(body[: int(length)]), body[int(length) :]


def _asked(body: dict, binary: bytes) -> tuple[list[Source], set[str], dict]:
    """The pictures of a request, the outputs that it wants, and the name that it has for itself, if any."""
    return _pictures(body, binary), _wanted(body), {"id": body["id"]} if "id" in body else {}


def _pictures(body: dict, binary: bytes) -> list[Source]:
    tensors = body.get("inputs")
    if not (isinstance(tensors, list) and len(tensors) == 1 and isinstance(tensors[0], dict)):
        raise Refusal(400, f'expected "inputs", a list of one tensor: {" or ".join(INPUTS)}')
    tensor = tensors[0]
    name, kind, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
    if name not in INPUTS or kind != INPUTS[name]:
        known = " or ".join(f"{each} of {datatype}" for each, datatype in INPUTS.items())
        raise Refusal(400, f"there is no input {name!r} of {kind!r}; expected {known}")
    if not (isinstance(shape, list) and all(type(each) is int and each >= 0 for each in shape)):
        raise Refusal(400, f"the shape of {name} is {shape!r}; expected a list of whole numbers")
    parameters = tensor.get("parameters")
    in_binary = isinstance(parameters, dict) and "binary_data_size" in parameters
    if in_binary and parameters["binary_data_size"] != len(binary):
        raise Refusal(400, f"{name} has {len(binary)} bytes of binary data; expected {parameters['binary_data_size']}")
    if name == "files":
        files = _split(binary) if in_binary else _texts(tensor.get("data"))
        if math.prod(shape) != len(files):
            raise Refusal(400, f"files has the shape {shape} for {len(files)} files; expected [{len(files)}]")
        return files
    return _arrays(np.frombuffer(binary, np.uint8) if in_binary else tensor.get("data"), shape)


def _texts(data: object) -> list[Source]:
    if not isinstance(data, list):
        raise Refusal(400, 'files has no list "data"; expected files in base64, or binary data')
    return [from_base64(text, f"data[{place}]") for place, text in enumerate(data)]


def _split(binary: bytes) -> list[Source]:
    """Byte strings, each after its length, four bytes little-endian."""
    files, place = [], 0
    while place < len(binary):
        length = struct.unpack_from("<I", binary, place)[0] if place + 4 <= len(binary) else len(binary)
        if place + 4 + length > len(binary):
            raise Refusal(400, f"the binary data of files ends within file {len(files)}; expected lengths of 4 bytes")
        files.append(binary[place + 4 : place + 4 + length])
        place += 4 + length
    return files


def _arrays(data: object, shape: list[int]) -> list[Source]:
    try:
        flat = np.asarray(data, np.float64).ravel()
    except (ValueError, TypeError) as error:
        raise Refusal(400, "the data of pictures is no list of numbers; expected those of its shape") from error
    if len(shape) != 4 or flat.size != math.prod(shape):
        raise Refusal(400, f"pictures has {flat.size} values and the shape {shape}; expected [B, height, width, 3]")
    return [pixels_from(picture, f"pictures[{place}]") for place, picture in enumerate(flat.reshape(shape))]


def _wanted(body: dict) -> set[str]:
    """The names of the outputs that are asked for: all where none is named."""
    asked = body.get("outputs") or [{"name": name} for name in OUTPUTS]
    names = (
        {each.get("name") if isinstance(each, dict) else None for each in asked} if isinstance(asked, list) else {None}
    )
    if names - set(OUTPUTS):
        raise Refusal(
            400, f'"outputs" names {", ".join(map(str, names - set(OUTPUTS)))}; known are {", ".join(OUTPUTS)}'
        )
    return names


OUTPUTS = {"probabilities": "FP32", "label": "BYTES", "class_names": "BYTES", "readable": "BOOL", "error": "BYTES"}


def _outputs(version: Version, answers: list[Answer]) -> list[dict]:
    number, classes = len(answers), len(version.class_names)
    columns = {
        "probabilities": ([number, classes], [value for answer in answers for value in rounded(answer)]),
        "label": ([number], [label_of(version, answer) for answer in answers]),
        "class_names": ([number, classes], [*version.class_names] * number),
        "readable": ([number], [not answer.error for answer in answers]),
        "error": ([number], [answer.error for answer in answers]),
    }
    return [
        {"name": name, "datatype": OUTPUTS[name], "shape": shape, "data": data}
        for name, (shape, data) in columns.items()
    ]


def _metadata(version: Version, numbers: list[int]) -> dict:
    classes = len(version.class_names)
    shapes = {"files": [-1], "pictures": [-1, -1, -1, 3]}
    wide = {"probabilities": [-1, classes], "class_names": [-1, classes]}
    return {
        "name": version.model,
        "versions": [str(number) for number in numbers],
        "platform": "keras",
        "inputs": [{"name": name, "datatype": kind, "shape": shapes[name]} for name, kind in INPUTS.items()],
        "outputs": [{"name": name, "datatype": kind, "shape": wide.get(name, [-1])} for name, kind in OUTPUTS.items()],
    }
