"""The rules file: what is shipped, what a user's file changes, and what is refused."""

from pathlib import Path

import pytest

from alerting.rules import CONDITIONS, AlarmRules, RulesError, load_rules
from ecg.findings import PRIORITIES


def loaded(tmp_path: Path, text: str) -> AlarmRules:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    return load_rules(path)


def test_every_condition_has_a_shipped_rule_and_findings_keep_their_priority() -> None:
    rules = load_rules().rules
    assert set(rules) == set(CONDITIONS)
    assert {kind: rules[kind].priority for kind in PRIORITIES} == PRIORITIES


def test_what_kills_within_minutes_alarms_at_once_and_stays() -> None:
    high = {name: rule for name, rule in load_rules().rules.items() if rule.priority == "high"}
    assert set(high) == {"asystole", "ventricular_tachycardia", "ventricular_flutter"}
    for rule in high.values():
        assert rule.start_s == rule.of_s == 0
        assert rule.latching
        assert not rule.gate, "no noise may hide it"
        assert rule.escalate_s is not None


def test_a_file_holds_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        '[rules.pause]\npriority = "high"\n'
        '[patients."bed-7".rules.heart_rate_high]\nlimit = 170\n'
        "[patients.p2.rules.pause]\nend_clean_s = 25\n"
    )
    rules, shipped = load_rules(path), load_rules()
    assert rules.of("anybody")["pause"].priority == "high"
    assert rules.of("anybody")["pause"].end_clean_s == shipped.rules["pause"].end_clean_s
    assert rules.of("anybody")["heart_rate_high"].limit == shipped.rules["heart_rate_high"].limit
    assert rules.of("bed-7")["heart_rate_high"].limit == 170
    assert rules.of("bed-7")["heart_rate_high"].start_s == shipped.rules["heart_rate_high"].start_s
    assert (rules.of("p2")["pause"].priority, rules.of("p2")["pause"].end_clean_s) == ("high", 25)


def test_a_file_that_counts_windows_of_five_seconds_is_read_as_seconds(tmp_path: Path) -> None:
    old = loaded(tmp_path, "[rules.pause]\nstart = 2\nof = 3\nend_clean = 4\n[patients.p.rules.asystole]\nstart = 1\n")
    pause = old.of("anybody")["pause"]
    assert (pause.start_s, pause.of_s, pause.end_clean_s) == (10, 15, 20)
    assert old.of("p")["asystole"].start_s == 0, "as soon as it is found"


def test_what_covers_comes_before_what_it_covers() -> None:
    order = list(load_rules().of("anybody"))
    for name, rule in load_rules().rules.items():
        assert all(order.index(above) < order.index(name) for above in rule.covered_by)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rules.pause]\nprioritty = 'high'", r"rules\.pause\.prioritty is not a setting of the rules: correct or"),
        ("[rules.hiccup]\npriority = 'low'", r"rules\.hiccup is not a condition: choose of couplet, "),
        ("colour = 'red'", r"colour is not a setting of the rules"),
        ("[rules.pause]\npriority = 'urgent'", r"rules\.pause\.priority='urgent': .*'high', 'medium', 'low'"),
        ("[rules.pause]\nstart_s = -1", r"rules\.pause\.start_s=-1: .*greater than or equal to 0: correct it"),
        ("[rules.pause]\nstart_s = 20", r"rules\.pause: start_s=20 is above of_s=0: it could never start; raise of_s"),
        ("[rules.pause]\nlimit = 2", r"rules\.pause\.limit=2\.0: pause has none: leave it out"),
        ("[rules.unusual_window]\nlimit = 2", r"rules\.unusual_window\.limit=2 is above 1: a score lies between"),
        ("[rules.pause]\nescalate_to = 'high'", r"escalate_to='high' needs escalate_s: say after how long"),
        ("[rules.pause]\ngate = ['loud']", r"gate='loud' is not a quality flag: choose of gap, flat, lead_off, "),
        ("[rules.pause]\ncovered_by = ['hiccup']", r"rules\.pause\.covered_by"),
        ("[rules.asystole]\ncovered_by = ['pause']", r"covered_by goes in a circle \(.*\): none of them could start"),
        ("[patients.'a b'.rules.pause]\nend_clean_s = 10", r"patients\.'a b' is not a patient id"),
        ("[patients.p1.rules.pause]\nlimit = 2", r"patients\.p1\.rules\.pause\.limit=2\.0: pause has none"),
        ("[patients.p1.rules.hiccup]\nstart = 2", r"hiccup is not a condition"),
        ("forget_s = 1", r"forget_s=1: .*600"),
        ("rules = 3", r"rules=3: "),
        ("[rules.pause", r"are not TOML: .*: correct the file"),
    ],
)
def test_what_cannot_be_used_is_refused_with_value_limit_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RulesError, match=message):
        loaded(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        RulesError, match=r"nowhere\.toml cannot be read \(No such file or directory\): correct ECGSTREAM"
    ):
        load_rules(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(RulesError, match="are not TOML"):
        load_rules(tmp_path / "latin.toml")
