"""`POST /classify`: files of a form to names and probabilities, the plainest way to ask."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from transfer.serving.asking import Service, ask, label_of, rounded
from transfer.serving.batching import Answer
from transfer.serving.forms import form_schema, read_form
from transfer.serving.refusals import Refusal
from transfer.serving.served_models import Version


def classify_routes(service: Service) -> APIRouter:
    """`/classify`, and `/models` with what can be asked there."""
    router = APIRouter(tags=["files"])

    @router.post("/classify", openapi_extra={"requestBody": form_schema(["model", "version"])})
    async def classify(request: Request) -> JSONResponse:
        """Name the pictures of a form; the fields model and version choose who answers."""
        files, texts = await read_form(request, service.limits.most_waiting)
        version = chosen_version(service, texts | dict(request.query_params))
        answers = await ask(service, version, [file.data for file in files])
        rows = [{"file": file.name} | _row(version, answer) for file, answer in zip(files, answers)]
        return JSONResponse({"model": version.model, "version": version.number, "predictions": rows})

    @router.get("/models")
    async def models() -> dict:
        """The models, each with its versions and the classes of the newest."""
        known = {name: service.models.versions(name) for name in service.models.names()}
        rows = [
            {
                "name": name,
                "versions": [each.number for each in versions],
                "class_names": versions[0].class_names,
                "image_size": versions[0].network.image_size,
                "can_show_where": versions[0].network.model is not None,
            }
            for name, versions in known.items()
        ]
        return {
            "models": rows,
            "collects": service.collect is not None,
            "most_megabytes": service.limits.most_megabytes,
        }

    return router


def chosen_version(service: Service, texts: dict[str, str]) -> Version:
    """The version that fields of a form name: by default the newest of the first model.

    Raises:
        Refusal: 400, the version is no number; 404, there is no such model or version.
    """
    name = texts.get("model") or service.models.names()[0]
    number = texts.get("version") or None
    if number is not None and not (number.isascii() and number.isdecimal() and len(number) < 20):
        raise Refusal(400, f"version {number!r} is no whole number; expected one, or none for the newest")
    return service.models.version(name, None if number is None else int(number))


def _row(version: Version, answer: Answer) -> dict:
    if answer.error:
        return {"readable": False, "error": answer.error, "label": None, "probability": None, "probabilities": {}}
    by_name = dict(zip(version.class_names, rounded(answer)))
    label = label_of(version, answer)
    return {"readable": True, "error": "", "label": label, "probability": by_name[label], "probabilities": by_name}
