"""Secrets of settings in files: read, and what is said when one cannot be."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from bus.settings import KafkaSettings
from ops.secret_files import read_secret


def test_a_secret_is_the_files_text_or_itself(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    assert read_secret(f"file:{tmp_path}/password") == "correct horse"
    assert read_secret("correct horse") == "correct horse"


def test_a_setting_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("correct horse")
    monkeypatch.setenv("ECGSTREAM_SASL_PASSWORD", f"file:{tmp_path}/password")
    assert KafkaSettings(_env_file=None).sasl_password == SecretStr("correct horse")
    monkeypatch.delenv("ECGSTREAM_SASL_PASSWORD")
    assert KafkaSettings(_env_file=None).sasl_password is None


@pytest.mark.parametrize(
    ("content", "says"), [(None, "No such file"), (b"", "is empty"), (b"\xff\xfe", "it is not UTF-8 text")]
)
def test_a_file_that_is_no_use_is_named_without_what_is_in_it(content: bytes | None, says: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    with pytest.raises(ValidationError, match=says):
        KafkaSettings(_env_file=None, sasl_password=f"file:{tmp_path}/password")
