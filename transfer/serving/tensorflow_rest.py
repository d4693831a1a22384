"""The REST protocol of TensorFlow Serving (tensorflow.org/tfx/serving/api_rest), for clients of it as they are.

The signatures are those of the SavedModels of this toolkit: `predict_bytes` takes `files`, `serving_default` takes
`pictures`. Where a request names none, what it holds decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from transfer.data.sources import Source
from transfer.serving.asking import Service, ask, label_of, rounded
from transfer.serving.batching import Answer
from transfer.serving.json_bodies import from_base64, parsed_object, pixels_from, read_body
from transfer.serving.refusals import Refusal
from transfer.serving.served_models import Version

INPUTS = {"predict_bytes": "files", "serving_default": "pictures"}
_BODY = {
    "description": '`{"instances": [{"b64": "..."}]}`, or `{"inputs": {"files": [{"b64": "..."}]}}` by columns',
    "content": {"application/json": {"example": {"instances": [{"b64": "/9j/4AAQ..."}]}}},
}


def tensorflow_routes(service: Service) -> APIRouter:
    """`/v1/models/...`: predictions, status and metadata."""
    router = APIRouter(prefix="/v1/models", tags=["TensorFlow Serving"])

    async def answered(name: str, number: int | None, request: Request) -> JSONResponse:
        pictures, by_rows = await read_body(request, lambda body: _pictures(parsed_object(body)))
        version = service.models.version(name, number)
        answers = await ask(service, version, pictures)
        rows = [_row(version, answer) for answer in answers]
        if by_rows:
            return JSONResponse({"predictions": rows})
        return JSONResponse({"outputs": {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}})

    @router.post("/{name}:predict", openapi_extra={"requestBody": _BODY})
    async def predict(name: str, request: Request) -> JSONResponse:
        """Name pictures by the newest version."""
        return await answered(name, None, request)

    @router.post("/{name}/versions/{version}:predict", openapi_extra={"requestBody": _BODY})
    async def predict_version(name: str, version: int, request: Request) -> JSONResponse:
        """Name pictures by one version."""
        return await answered(name, version, request)

    @router.get("/{name}")
    async def status(name: str) -> dict:
        """The versions that answer, and why others do not."""
        return _status(service.models.versions(name), service.models.failed(name))

    @router.get("/{name}/versions/{version}")
    async def status_of_version(name: str, version: int) -> dict:
        """Whether a version answers."""
        service.models.versions(name)
        if reason := service.models.failed(name).get(version):
            return _status([], {version: reason})
        return _status([service.models.version(name, version)], {})

    @router.get("/{name}/metadata")
    async def metadata(name: str) -> dict:
        """The signatures of the newest version."""
        return _metadata(service.models.version(name))

    @router.get("/{name}/versions/{version}/metadata")
    async def metadata_of_version(name: str, version: int) -> dict:
        """The signatures of one version."""
        return _metadata(service.models.version(name, version))

    return router


def _pictures(body: dict) -> tuple[list[Source], bool]:
    """The pictures of a request, and whether they came by rows (`instances`) and not by columns (`inputs`)."""
    signature = body.get("signature_name", "")
    if signature not in ("", *INPUTS):
        raise Refusal(400, f"there is no signature {signature!r}; expected {' or '.join(INPUTS)}")
    if ("instances" in body) == ("inputs" in body):
        raise Refusal(400, 'expected either "instances", a list of pictures, or "inputs", a list of them by its name')
    by_rows = "instances" in body
    given, key = (body["instances"], "instances") if by_rows else (_column(body["inputs"]), "inputs")
    if not isinstance(given, list):
        raise Refusal(400, f'"{key}" is no list; expected one of pictures')
    return [_picture(value, f"{key}[{place}]", signature) for place, value in enumerate(given)], by_rows


def _column(inputs: object) -> object:
    if not isinstance(inputs, dict) or "b64" in inputs:
        return inputs
    if len(inputs) != 1 or next(iter(inputs)) not in INPUTS.values():
        raise Refusal(400, f'"inputs" has {", ".join(inputs) or "nothing"}; expected {" or ".join(INPUTS.values())}')
    return next(iter(inputs.values()))


def _picture(value: object, where: str, signature: str) -> Source:
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in INPUTS.values():
        value = next(iter(value.values()))
    is_file = isinstance(value, dict) and list(value) == ["b64"]
    if signature and is_file != (signature == "predict_bytes"):
        wanted = '{"b64": ...}' if signature == "predict_bytes" else "pixels"
        raise Refusal(400, f"{where} does not suit the signature {signature}; expected {wanted}")
    if is_file:
        return from_base64(value["b64"], where)
    if not isinstance(value, list):
        raise Refusal(400, f'{where} is no picture; expected {{"b64": "..."}}, or pixels (height, width, 3)')
    return pixels_from(value, where)


def _row(version: Version, answer: Answer) -> dict:
    return {
        "probabilities": rounded(answer),
        "label": label_of(version, answer),
        "class_names": version.class_names,
        "readable": not answer.error,
        "error": answer.error,
    }


def _status(versions: Sequence[Version], failed: Mapping[int, str]) -> dict:
    states = {version.number: ("AVAILABLE", "OK", "") for version in versions}
    states |= {number: ("END", "UNKNOWN", reason) for number, reason in failed.items()}
    return {
        "model_version_status": [
            {
                "version": str(number),
                "state": state,
                "status": {"error_code": code, "error_message": reason},
            }
            for number, (state, code, reason) in sorted(states.items(), reverse=True)
        ]
    }


def _metadata(version: Version) -> dict:
    size, classes = version.network.image_size, len(version.class_names)
    outputs = {
        "probabilities": _tensor("DT_FLOAT", -1, classes),
        "label": _tensor("DT_STRING", -1),
        "class_names": _tensor("DT_STRING", -1, classes),
        "readable": _tensor("DT_BOOL", -1),
        "error": _tensor("DT_STRING", -1),
    }
    inputs = {
        "predict_bytes": {"files": _tensor("DT_STRING", -1)},
        "serving_default": {"pictures": _tensor("DT_FLOAT", -1, size, size, 3)},
    }
    signatures = {
        name: {"inputs": taken, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
        for name, taken in inputs.items()
    }
    return {
        "model_spec": {"name": version.model, "signature_name": "", "version": str(version.number)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _tensor(dtype: str, *shape: int) -> dict:
    sizes = [{"size": str(size), "name": ""} for size in shape]
    return {"dtype": dtype, "tensor_shape": {"dim": sizes, "unknown_rank": False}, "name": ""}
