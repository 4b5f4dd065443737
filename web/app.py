"""The application: routes, errors, access and page, put together in one place."""

from fastapi import FastAPI

from bus.clients import BrokerError
from ops import problems
from web import document
from web.parts import Parts
from web.routes import alarms, beats, live, oidc, page, patients, recordings, scoring, session, signals, system
from web.safety.authenticator import Authenticator
from web.safety.failures import FailedSignIns
from web.safety.paths import API
from web.safety.protect import protect
from web.safety.rates import Rates


def make_app(parts: Parts) -> FastAPI:
    """The application, ready to be served.

    Parameters
    ----------
    parts : what the routes stand on

    Raises
    ------
    TokensError : when the file of tokens cannot be used
    """
    app = document.DocumentedApi(
        title="ecgstream",
        summary="Watch ECGs live, score a recording, answer an alarm. Not a medical device.",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        openapi_tags=document.TAGS,
        responses=document.EVERYWHERE,
    )
    problems.install(app, unavailable=BrokerError)
    authenticator, rates = Authenticator(parts.settings, clock=parts.clock), Rates(parts.settings)
    failures = FailedSignIns(rates, parts.clock)
    for router in (
        system.routes(parts),
        session.routes(authenticator, failures),
        oidc.routes(authenticator, failures),
        patients.routes(parts),
        signals.routes(parts),
        beats.routes(parts),
        alarms.routes(parts),
        live.routes(parts),
        scoring.routes(parts),
        recordings.routes(parts),
    ):
        app.include_router(router, prefix=API)
    app.include_router(page.routes())
    protect(
        app,
        parts.settings,
        authenticator=authenticator,
        rates=rates,
        failures=failures,
        metrics=parts.metrics,
        clock=parts.clock,
        audit=parts.audit,
    )
    return app
