"""The alarm history as the routes ask it: in a thread, opened once, opened anew after a failure."""

import asyncio
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from sqlalchemy import URL

from alerting.database.engine import HistoryError
from alerting.history.reading import AlarmHistory, UnknownAlarmError
from ops.problems import ProblemError

T = TypeVar("T")


class PastAlarms:
    """The alarm history at an address as ``alerting.database.engine.address`` gives it."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._open: AlarmHistory | None = None

    async def ask(self, question: Callable[[AlarmHistory], T]) -> T:
        """Ask the history.

        Parameters
        ----------
        question : is handed the history, in a thread

        Raises
        ------
        ProblemError : when it does not have the alarm, or cannot be read
        """
        return await asyncio.to_thread(self._ask, question)

    def _ask(self, question: Callable[[AlarmHistory], T]) -> T:
        try:
            return question(self._history())
        except UnknownAlarmError as error:
            raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error
        except HistoryError as error:
            self.close()
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._open is not None:
                self._open.__exit__()
            self._open = None

    def _history(self) -> AlarmHistory:
        with self._lock:
            if self._open is None:
                self._open = AlarmHistory(self._url).__enter__()
            return self._open
