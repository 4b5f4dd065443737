"""Everything that stands before the routes, in its order."""

from fastapi import FastAPI

from web.safety.gate import Gate, check_access
from web.safety.hosts import KnownHosts
from web.settings import WebSettings


def protect(app: FastAPI, settings: WebSettings) -> None:
    """Let an application answer only whom it may.

    Parameters
    ----------
    app : the application, with its routes
    settings : how the web service runs

    Raises
    ------
    OpenAccessError : when it would be open to a network
    """
    check_access(settings)
    # The last one that is added is the first that a request meets.
    app.add_middleware(Gate)
    app.add_middleware(KnownHosts, hosts=())
