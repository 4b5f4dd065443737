"""Everything that stands before the routes, in its order."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from ops.clock import Clock
from web.addresses import host_of
from web.metrics import WebMetrics
from web.safety.audit import Audited, AuditTrail
from web.safety.authenticator import Authenticator
from web.safety.bodies import Bodies
from web.safety.budgets import Budgets, Streams
from web.safety.failures import FailedSignIns
from web.safety.gate import Gate
from web.safety.headers import SafetyHeaders
from web.safety.hosts import KnownHosts
from web.safety.observed import Observed
from web.safety.origins import Origins
from web.safety.rates import Rates
from web.settings import WebSettings


def protect(
    app: FastAPI,
    settings: WebSettings,
    *,
    authenticator: Authenticator,
    rates: Rates,
    failures: FailedSignIns,
    metrics: WebMetrics,
    clock: Clock,
    audit: AuditTrail,
) -> None:
    """Let an application answer only whom it may, and no more than it can."""
    named = host_of(settings.url.partition("://")[2]) if settings.url else None
    # The last one that is added is the first that a request meets.
    app.add_middleware(Audited, trail=audit)
    app.add_middleware(Bodies, upload_mb=settings.upload_mb)
    app.add_middleware(Streams, most=settings.streams_per_caller)
    app.add_middleware(Budgets, rates=rates)
    app.add_middleware(Origins, settings=settings)
    app.add_middleware(Gate, authenticator=authenticator, failures=failures)
    if settings.friendly_origins:
        # Without credentials: a browser adds no session to what these pages send, only the token that they hold.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.friendly_origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Last-Event-ID"),
            expose_headers=("Retry-After",),
        )
    app.add_middleware(KnownHosts, hosts=() if named is None else (named,))
    app.add_middleware(SafetyHeaders, encrypted=settings.encrypted)
    app.add_middleware(Observed, metrics=metrics, clock=clock)
