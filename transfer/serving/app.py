"""The application: all protocols on one address, with what they share around them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import metadata

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transfer.serving.asking import Service
from transfer.serving.bodies import BoundedBodies, refused
from transfer.serving.classify_files import classify_routes
from transfer.serving.doors import Doors
from transfer.serving.metrics import CONTENT_TYPE, Metrics
from transfer.serving.open_inference import inference_routes
from transfer.serving.page import page_routes
from transfer.serving.refusals import Refusal
from transfer.serving.tensorflow_rest import tensorflow_routes

LOOK_EVERY = 5.0  # seconds between two looks for new versions


def build_app(service: Service, token: str = "", is_local: bool = True) -> FastAPI:
    """The ASGI application of a server.

    Args:
        service: what answers.
        token: that each request has to bear, or "".
        is_local: it is on the loopback address, see `Doors`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(_take_up_versions(service))
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            await asyncio.to_thread(service.models.close)

    app = FastAPI(
        title="transfer",
        version=metadata.version("transfer"),
        summary="Names what is in pictures.",
        docs_url=None,  # the usual page takes its script from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    for router in (
        classify_routes(service),
        tensorflow_routes(service),
        inference_routes(service, app.version),
        page_routes(service, app.openapi),
    ):
        app.include_router(router)

    @app.get("/metrics", tags=["health"])
    async def show_metrics() -> Response:
        """What Prometheus asks for."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @app.exception_handler(Refusal)
    async def tell_refusal(request: Request, refusal: Refusal) -> JSONResponse:
        return refused(refusal)

    @app.exception_handler(HTTPException)
    async def tell_unknown(request: Request, error: HTTPException) -> JSONResponse:
        sentence = f"{request.method} {request.url.path}: {str(error.detail).lower()}; /docs lists what is there"
        return refused(Refusal(error.status_code, sentence), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def tell_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return refused(Refusal(400, f"{first['loc'][-1]} of {first.get('input')!r}: {first['msg']}"))

    app.add_middleware(BoundedBodies, limits=service.limits)  # the last added is the outermost
    app.add_middleware(Doors, token=token, is_local=is_local)
    app.add_middleware(_Counted, metrics=service.metrics)
    return app


async def _take_up_versions(service: Service) -> None:
    models, metrics = service.models, service.metrics
    while True:
        metrics.show_versions([(name, each.number) for name in models.names() for each in models.versions(name)])
        await asyncio.sleep(LOOK_EVERY)
        models.take_up(await asyncio.to_thread(models.look))


class _Counted:
    """An application whose answers are counted and timed."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        arrived, status = time.perf_counter(), 0

        async def receive_and_look() -> Message:
            nonlocal arrived
            message = await receive()
            arrived = time.perf_counter()
            return message

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            await self._app(scope, receive_and_look, send_and_look)
        finally:
            path = getattr(scope.get("route"), "path", "unknown")
            self._metrics.count_request(path, status, time.perf_counter() - arrived)
        return None
