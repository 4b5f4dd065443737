"""Where settings come from, and what is said when they are wrong."""

from pathlib import Path

import pytest

from alerting.settings import AlertingSettings
from bus.settings import KafkaSettings
from detector.settings import DetectorSettings
from ecgstream.children import Command
from ecgstream.settings import COMPOSE, RENAMED, OptionError, ProcessSettings, SettingsError, kinds, load, variables


def test_options_win_over_the_environment_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load(KafkaSettings).partitions == 4
    (tmp_path / ".env").write_text("ECGSTREAM_PARTITIONS=5\nECGSTREAM_BOOTSTRAP_SERVERS=file:1\n")
    assert load(KafkaSettings).partitions == 5
    monkeypatch.setenv("ECGSTREAM_PARTITIONS", "6")
    assert load(KafkaSettings).partitions == 6
    given = load(KafkaSettings, partitions=7, bootstrap_servers=None)
    assert (given.partitions, given.bootstrap_servers) == (7, "file:1")


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_BOOTSTRAP_SERVER", "kafka:9092")
    with pytest.raises(SettingsError, match=r"ECGSTREAM_BOOTSTRAP_SERVER .*mean ECGSTREAM_BOOTSTRAP_SERVERS\?"):
        load(ProcessSettings)


def test_a_misspelt_variable_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ECGSTREAM_PARTITION=5\n")
    with pytest.raises(SettingsError, match=r"ECGSTREAM_PARTITION in \.env"):
        load(ProcessSettings)


def test_variables_of_compose_and_of_tests_and_of_others_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ECGSTREAM_COMPOSE_SPEED", "ECGSTREAM_TEST_BOOTSTRAP_SERVERS", "ECG_STREAM", "KAFKA_HEAP_OPTS"):
        monkeypatch.setenv(name, "1")
    assert load(ProcessSettings).health_port == 0


def test_a_variable_outside_its_limits_is_named_with_value_limit_and_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_PARTITIONS", "0")
    with pytest.raises(SettingsError, match=r"^ECGSTREAM_PARTITIONS=0: .*greater than or equal to 1: correct it"):
        load(KafkaSettings)


def test_an_option_outside_its_limits_is_wrong_usage() -> None:
    with pytest.raises(OptionError, match=r"^--health-port=70000: .*65535: correct the option"):
        load(ProcessSettings, health_port=70000)


def test_a_variable_under_another_name_is_named_as_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_INSTANCE", "x" * 201)
    with pytest.raises(SettingsError, match=r"^ECGSTREAM_INSTANCE=x"):
        load(AlertingSettings)


def test_a_password_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("ECGSTREAM_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    with pytest.raises(SettingsError, match="ECGSTREAM_SASL_USERNAME") as shown:
        load(KafkaSettings)
    assert "hunter2" not in str(shown.value)


def test_a_variable_is_read_under_its_old_name_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECGSTREAM_THREADS", "3")
    (tmp_path / ".env").write_text("ECGSTREAM_SILENT_S=90\nECGSTREAM_THREADS=2\n")
    read = load(DetectorSettings)
    assert (read.threads, read.silent_s) == (3, 90.0)
    assert load(DetectorSettings, threads=4).threads == 4
    shown = caplog.messages
    assert "ECGSTREAM_THREADS in the environment is now called ECGSTREAM_DETECTOR_THREADS: rename it" in shown[0]
    assert any("ECGSTREAM_SILENT_S in .env is now called ECGSTREAM_DETECTOR_SILENT_S" in line for line in shown)
    assert len(shown) == 3, "each place is told once, however many settings are read"


def test_the_new_name_wins_and_the_old_one_is_said_to_be_ignored(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECGSTREAM_THREADS", "3")
    (tmp_path / ".env").write_text("ECGSTREAM_DETECTOR_THREADS=2\n")
    assert load(DetectorSettings).threads == 2
    (shown,) = caplog.messages
    assert (
        "ECGSTREAM_THREADS in the environment is ignored, since its new name ECGSTREAM_DETECTOR_THREADS is set" in shown
    )


def test_a_wrong_value_under_an_old_name_is_told_under_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_THREADS", "0")
    with pytest.raises(SettingsError, match=r"^ECGSTREAM_THREADS=0: .*greater than or equal to 1: correct it"):
        load(DetectorSettings)


def test_a_service_of_ours_is_handed_the_new_name_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ECGSTREAM_ALARM_DB", "sqlite:////asked/for")
    handed = Command("web", "web", kafka=KafkaSettings(), logs=tmp_path)._environment
    assert handed["ECGSTREAM_ALERTING_ALARM_DB"] == "sqlite:////asked/for"
    assert not RENAMED.keys() & handed.keys()


def test_every_old_name_leads_to_a_variable_that_is_read() -> None:
    assert set(RENAMED.values()) <= {*variables(), *COMPOSE}
    assert not RENAMED.keys() & {*variables(), *COMPOSE}


def test_each_setting_is_named_after_its_room_or_shared_by_all() -> None:
    shared = (ProcessSettings, KafkaSettings)
    rooms = {kind.model_config["env_prefix"] for kind in kinds() if kind not in shared}
    assert rooms == {
        f"ECGSTREAM_{room}_" for room in ("DETECTOR", "ALERTING", "WEB", "GATEWAY", "CLIENT", "REPLAY", "FAULTS")
    }
    of_all = {f"ECGSTREAM_{field.upper()}" for kind in shared for field in kind.model_fields} | {"ECGSTREAM_INSTANCE"}
    assert {name for name in variables() if not name.startswith(tuple(rooms))} == of_all


def test_every_service_reads_the_same_instance_name() -> None:
    assert "ECGSTREAM_INSTANCE" in variables()
    assert "ECGSTREAM_ALERTING_INSTANCE" not in variables()
