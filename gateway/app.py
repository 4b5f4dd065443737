"""The gateway's application: routes, errors and documents, put together in one place."""

from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from bus.clients import BrokerError
from gateway import document, routes, websocket
from gateway.parts import Parts
from ops import problems

API = "/v1"


def make_app(parts: Parts) -> FastAPI:
    """The application, ready to be served.

    Parameters
    ----------
    parts : what the routes stand on
    """
    app = document.DocumentedGateway(
        title="ecgstream gateway",
        summary="Devices send ECG and hear when it is stored. Not a medical device.",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app, unavailable=BrokerError)
    app.include_router(routes.routes(parts), prefix=API)
    app.include_router(websocket.routes(parts), prefix=API)

    @app.get(f"{API}/asyncapi.json", include_in_schema=False)
    async def asyncapi() -> dict[str, Any]:
        """Give the document of the WebSocket."""
        return document.asyncapi()

    if parts.settings.cors_origins:
        # Without credentials: a browser adds nothing to what these pages send, only the token that they hold.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.strip() for origin in parts.settings.cors_origins.split(",")],
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type"),
            expose_headers=("Retry-After",),
        )
    return app
