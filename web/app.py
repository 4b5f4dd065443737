"""The application: routes, errors, access and page, put together in one place."""

from fastapi import FastAPI

from web import problems
from web.parts import Parts
from web.routes import live, page, patients, system
from web.safety.protect import protect

API = "/api/v1"


def make_app(parts: Parts) -> FastAPI:
    """The application, ready to be served.

    Parameters
    ----------
    parts : what the routes stand on

    Raises
    ------
    OpenAccessError : when it would be open to a network
    """
    app = FastAPI(
        title="ecgstream",
        summary="Watch ECGs live, score a recording, answer an alarm. Not a medical device.",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    for router in (system.routes(parts), patients.routes(parts), live.routes(parts)):
        app.include_router(router, prefix=API)
    app.include_router(page.routes())
    protect(app, parts.settings)
    return app
