"""Times and pages as the routes take them."""

from typing import Annotated

from fastapi import Query

INT64_MAX = 2**63 - 1

TimeNs = Annotated[int, Query(ge=0, le=INT64_MAX, description="Time of the recording, ns UTC.")]
FromNs = Annotated[int | None, Query(ge=0, le=INT64_MAX, description="From when, ns UTC.")]
ToNs = Annotated[int | None, Query(ge=0, le=INT64_MAX, description="Until when, ns UTC, excluded.")]
