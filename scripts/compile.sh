#!/usr/bin/env bash
# Compiles the modules that services and commands import, since nothing can be compiled on a read-only file system, and no
# other: compiling all of them costs as much again as they weigh. usage: compile.sh VENV
set -euo pipefail
exec env -u PYTHONDONTWRITEBYTECODE "$1/bin/python" - <<'PYTHON'
import importlib
import pkgutil

OURS = ("ecg", "ops", "bus", "producer", "detector", "alerting", "reports", "web", "models", "ecgstream")
LATE = (
    "wfdb", "scipy.signal", "scipy.io", "pydicom", "fhir.resources.R4B.observation", "fhir.resources.R4B.meta",
    "matplotlib.backends.backend_pdf", "matplotlib.backends.backend_svg", "matplotlib.backends.backend_agg",
    "apprise", "apprise.plugins.email", "psycopg", "alembic.command", "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql", "uvicorn.protocols.http.h11_impl",
)
modules = [
    found.name
    for room in OURS
    for found in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}.")
    if not found.name.endswith("__main__") and ".migrations.env" not in found.name
]
for name in (*modules, *LATE):
    try:
        importlib.import_module(name)
    except ImportError as error:  # what needs torch or another extra is not for the image
        print(f"compile: {name} left out: {error}")
PYTHON
