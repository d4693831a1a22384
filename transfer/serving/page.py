"""The page at `/`, what its buttons ask for, and the list of all addresses at `/docs`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from transfer.pages.rendering import render
from transfer.serving.asking import Service
from transfer.serving.classify_files import chosen_version
from transfer.serving.collecting import keep_corrected
from transfer.serving.forms import form_schema, read_form
from transfer.serving.looking import look
from transfer.serving.refusals import Refusal

# Nothing comes from elsewhere, and nothing goes there.
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src 'self' blob: data:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_routes(service: Service, description: Callable[[], dict]) -> APIRouter:
    """`/`, `/look`, `/corrections` where they are kept, and `/docs`.

    Args:
        service: what answers.
        description: gives the OpenAPI description of the server.
    """
    router = APIRouter(tags=["page"])
    one_look = asyncio.Lock()  # each takes a processor for a while

    @router.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return _page("serve.html", title="What is in your pictures?")

    @router.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        said = description()
        return _page(
            "addresses.html", title="What this server answers", paths=said["paths"], version=said["info"]["version"]
        )

    @router.post("/look", openapi_extra={"requestBody": form_schema(["model", "version", "class_name"])})
    async def where(request: Request) -> dict:
        """Where a network looked in a picture: an image in an address, with the map over it."""
        (file, *_), texts = await read_form(request, 1)
        version, seconds = chosen_version(service, texts), service.limits.most_seconds
        try:
            async with asyncio.timeout(seconds), one_look:
                return (await asyncio.to_thread(look, version, file.data, texts.get("class_name")))._asdict()
        except TimeoutError as error:
            raise Refusal(503, f"nobody had looked after {seconds:g} seconds; try again later") from error

    if service.collect is not None:

        @router.post("/corrections", openapi_extra={"requestBody": form_schema(["class_name"])})
        async def correct(request: Request) -> dict:
            """Keep a picture in the folder of its class."""
            (file, *_), texts = await read_form(request, 1)
            label = texts.get("class_name", "")
            return {"saved": await asyncio.to_thread(keep_corrected, service.collect, file.name, file.data, label)}

    return router


def _page(template: str, **values: object) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    headers = {
        "Content-Security-Policy": POLICY.format(nonce=nonce),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    }
    return HTMLResponse(render(template, nonce=nonce, **values), headers=headers)
