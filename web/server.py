"""The HTTP server of the page."""

from fastapi import FastAPI

from ops.http_server import HttpServer
from web.settings import WebSettings

MESSAGE_BYTES = 65_536  # of what a page sends over the live connection: which patients it watches


class Server(HttpServer):
    """Serves the page and its interface.

    Raises
    ------
    EcgStreamError : when certificate and key cannot be used
    """

    def __init__(self, app: FastAPI, settings: WebSettings) -> None:
        super().__init__(
            app,
            prefix="ECGSTREAM_WEB_",
            message_bytes=MESSAGE_BYTES,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
            trusted_proxies=settings.trusted_proxies,
        )
