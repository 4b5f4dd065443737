import io
import json
import logging

import pytest
import structlog

from ecg.errors import EcgStreamError
from ops.logging import REPEAT_S, _Repeats, configure_logging


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_service_level_and_time() -> None:
    stream = io.StringIO()
    configure_logging(service="detector", stream=stream)
    structlog.get_logger("x").info("partition_ready", partition=3)
    (line,) = lines(stream)
    assert line | {"timestamp": ""} == {
        "event": "partition_ready",
        "level": "info",
        "partition": 3,
        "service": "detector",
        "timestamp": "",
    }
    assert str(line["timestamp"]).endswith("Z")


def test_libraries_speak_in_the_same_form_from_warnings_on() -> None:
    stream = io.StringIO()
    configure_logging(service="detector", stream=stream)
    logging.getLogger("aiokafka").warning("gone: %s", "node 1")
    logging.getLogger("aiokafka").info("chatter")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("gone: node 1", "aiokafka", "warning")


def test_below_the_level_nothing_is_written() -> None:
    stream = io.StringIO()
    configure_logging(service="detector", level="error", stream=stream)
    structlog.get_logger().warning("no")
    logging.getLogger("aiokafka").warning("no")
    structlog.get_logger().error("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_text_is_readable() -> None:
    stream = io.StringIO()
    configure_logging(service="detector", form="text", stream=stream)
    structlog.get_logger().info("partition_ready", partition=3)
    assert "partition_ready" in stream.getvalue()
    assert "partition=3" in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_local_variables(form: str) -> None:
    stream = io.StringIO()
    configure_logging(service="detector", form="json" if form == "json" else "text", stream=stream)
    password = "s3cret"
    try:
        _ = int(password + "?") / 0
    except ValueError:
        structlog.get_logger().exception("failed")
    written = stream.getvalue()
    assert "ValueError" in written
    assert "password = " not in written


def test_a_library_does_not_repeat_itself() -> None:
    now_s = [0.0]
    heard = _Repeats(lambda: now_s[0])

    def record(node: int) -> logging.LogRecord:
        return logging.LogRecord("aiokafka", logging.ERROR, "", 0, "no answer from %s", (node,), None)

    assert heard.filter(record(1))
    assert not any(heard.filter(record(node)) for node in range(40))
    now_s[0] = REPEAT_S
    again = record(7)
    assert heard.filter(again)
    assert again.getMessage() == "no answer from 7 (and 40 more like it)"


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(EcgStreamError, match="'loud' is unknown: take one of debug, info"):
        configure_logging(service="detector", level="loud")
