"""Alarm rules: conditions, priorities and ends, from the shipped TOML file and what a file of the user changes.

A user's file holds only what differs. A patient's table holds only what differs for that patient.
"""

import tomllib
from collections.abc import Mapping
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bus.messages import PATIENT_ID, Condition, Quality, ScoreCondition, TechnicalCondition
from ecg.errors import EcgStreamError
from ecg.findings import FindingKind
from ecg.urgency import AlarmPriority
from ops.validation import limit_in

DEFAULT_RULES = "default_rules.toml"
FINDINGS: tuple[FindingKind, ...] = get_args(FindingKind)
SCORES: tuple[ScoreCondition, ...] = get_args(ScoreCondition)
TECHNICAL: tuple[TechnicalCondition, ...] = get_args(TechnicalCondition)
CONDITIONS: tuple[Condition, ...] = (*FINDINGS, *SCORES, *TECHNICAL)
# Conditions of which a rule's ``limit`` decides; the others' limits are the detector's.
WITH_LIMIT = frozenset({"heart_rate_low", "heart_rate_high", "unusual_window"})
# Conditions that are found by nothing coming: they start after ``after_s``.
BY_SILENCE = frozenset({"silent_patient", "source_stopped"})
QualityFlag = get_args(get_args(Quality.model_fields["flags"].annotation)[0])


class RulesError(EcgStreamError):
    """Rules that cannot be used."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Table):
    """One condition's rule. Times are of the recording, s, and are rounded up to whole windows.

    Attributes
    ----------
    enabled : False never alarms
    priority : how urgent
    start_s, of_s : it starts when the condition is in ``start_s`` of the last ``of_s`` that could tell; 0: at once
    end_clean_s : it ends after so long, all of which could tell and does not have it
    latching : it stays after the condition has gone, until somebody acknowledges; high and medium alone, which ask for
        an answer: a low one ends by itself
    retell_s : while it sounds it is told again so often, high and medium alone; None never
    escalate_s : it is escalated when nobody has attended to it for so long, at most ``MAX_ESCALATIONS`` times; a low
        one only if ``escalate_to`` raises it to a priority that asks for an answer
    escalate_to : the priority from then on; None leaves it
    gate : quality flags under which the condition is not believed: it counts towards ``poor_signal`` then
    covered_by : conditions that say it all: while one of them alarms and is there, this is not started
    limit : of heart_rate_low and heart_rate_high, 1/min; of unusual_window, the autoencoder's score
    after_s : of silent_patient and source_stopped: nothing came for so long
    """

    enabled: bool = True
    priority: AlarmPriority
    start_s: int = Field(default=0, ge=0, le=5000)
    of_s: int = Field(default=0, ge=0, le=5000)
    end_clean_s: int = Field(default=15, ge=1, le=50_000)
    latching: bool = False
    retell_s: float | None = Field(default=None, ge=5, le=86_400)
    escalate_s: float | None = Field(default=None, ge=5, le=86_400)
    escalate_to: AlarmPriority | None = None
    gate: frozenset[str] = frozenset()
    covered_by: frozenset[Condition] = frozenset()
    limit: float | None = Field(default=None, gt=0, le=400)
    after_s: float | None = Field(default=None, ge=10, le=86_400)

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if self.start_s > self.of_s:
            raise ValueError(f"start_s={self.start_s} is above of_s={self.of_s}: it could never start; raise of_s")
        if self.escalate_to is not None and self.escalate_s is None:
            raise ValueError(f"escalate_to={self.escalate_to!r} needs escalate_s: say after how long")
        unknown = self.gate - set(QualityFlag)
        if unknown:
            raise ValueError(f"gate={min(unknown)!r} is not a quality flag: choose of {', '.join(QualityFlag)}")
        return self


def windows_in(seconds: int, hop_s: int) -> int:
    """Return the number of windows, one every ``hop_s`` seconds, in a rule's time: at least one."""
    return max(1, -(-seconds // hop_s))


class PatientRules(_Table):
    """Rules that differ for one patient: whole ones, after merging."""

    rules: dict[Condition, Rule] = Field(default_factory=dict)


class AlarmRules(_Table):
    """All rules.

    Attributes
    ----------
    forget_s : a patient of whom nothing came for so long is no longer followed, s
    rules : one for each condition
    patients : by patient id, what differs
    """

    forget_s: float = Field(ge=600, le=30 * 86_400)
    rules: dict[Condition, Rule]
    patients: dict[str, PatientRules] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = [condition for condition in CONDITIONS if condition not in self.rules]
        if missing:
            raise ValueError(f"rules.{missing[0]} is missing: give the condition a rule, or enabled = false")
        tables = {"": self.rules} | {f"patients.{patient}.": own.rules for patient, own in self.patients.items()}
        for place, rules in tables.items():
            for condition, rule in rules.items():
                _check_limits(f"{place}rules.{condition}", condition, rule)
        _ = self._sorted  # refuses a circle
        for patient in self.patients:
            if not PATIENT_ID.fullmatch(patient):
                raise ValueError(f"patients.{patient!r} is not a patient id: it must match {PATIENT_ID.pattern}")
        return self

    @cached_property
    def _sorted(self) -> dict[str | None, Mapping[Condition, Rule]]:
        merged = {None: self.rules} | {patient: self.rules | own.rules for patient, own in self.patients.items()}
        return {patient: {name: rules[name] for name in _covering_first(rules)} for patient, rules in merged.items()}

    def of(self, patient: str) -> Mapping[Condition, Rule]:
        """The rules that hold for a patient, by condition; one that covers others comes before them."""
        return self._sorted.get(patient, self._sorted[None])


def _covering_first(rules: Mapping[Condition, Rule]) -> tuple[Condition, ...]:
    order = TopologicalSorter({name: sorted(rules[name].covered_by) for name in CONDITIONS})
    try:
        return tuple(order.static_order())
    except CycleError as error:
        circle = " by ".join(error.args[1])
        raise ValueError(f"covered_by goes in a circle ({circle}): none of them could start; break it") from None


def _check_limits(place: str, condition: Condition, rule: Rule) -> None:
    for key, value, wanted in (
        ("limit", rule.limit, condition in WITH_LIMIT),
        ("after_s", rule.after_s, condition in BY_SILENCE),
    ):
        if (value is not None) != wanted:
            remedy = "give one" if wanted else "leave it out"
            raise ValueError(f"{place}.{key}={value}: {condition} {'needs one' if wanted else 'has none'}: {remedy}")
    if condition == "unusual_window" and rule.limit is not None and rule.limit > 1:
        raise ValueError(f"{place}.limit={rule.limit:g} is above 1: a score lies between 0 and 1")


def load_rules(path: Path | None = None) -> AlarmRules:
    """The shipped rules, changed by a file.

    Parameters
    ----------
    path : TOML file that holds what differs; None changes nothing

    Raises
    ------
    RulesError : when the file cannot be read, or holds what is no rule
    """
    shipped = tomllib.loads(files(__package__).joinpath(DEFAULT_RULES).read_text(encoding="utf-8"))
    own: dict[str, Any] = {}
    if path is not None:
        try:
            own = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RulesError(
                f"the alarm rules {path} cannot be read ({error.strerror}): correct ECGSTREAM_ALERTING_RULES"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RulesError(f"the alarm rules {path} are not TOML: {error}: correct the file") from error
    merged = _merged(shipped, _in_seconds(own))
    for patient in _tables(merged.get("patients")).values():
        if isinstance(patient, dict):
            for condition, table in _tables(patient.get("rules")).items():
                patient["rules"][condition] = _merged(merged["rules"].get(condition, {}), table)
    try:
        return AlarmRules.model_validate(merged)
    except ValidationError as error:
        raise RulesError(f"the alarm rules {path or DEFAULT_RULES} cannot be used: {_first_fault(error)}") from error


# Rules counted windows of 5 s until there was a choice of hop.
_COUNTED_WINDOWS = {"start": "start_s", "of": "of_s", "end_clean": "end_clean_s"}


def _in_seconds(own: Any) -> Any:
    """The file with times where it counts windows, as rules of the release before did."""
    if not isinstance(own, dict):
        return own
    converted: dict[str, Any] = {}
    for key, value in own.items():
        name = _COUNTED_WINDOWS.get(key)
        if name is None or isinstance(value, dict):
            converted[key] = _in_seconds(value)
            continue
        converted[name] = 0 if value == 1 and key != "end_clean" else 5 * value if isinstance(value, int) else value
        _warn_of_windows(key, value, f"{name} = {converted[name]}")
    return converted


def _warn_of_windows(setting: str, value: object, meant: str) -> None:
    import structlog  # noqa: PLC0415 # every command reads rules, and few files of rules are that old

    log = structlog.get_logger(__name__)
    log.warning("rule_counts_windows", setting=setting, value=value, remedy=f"write {meant}")


def _tables(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _merged(base: Any, own: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    return base | {key: _merged(base[key], value) if key in base else value for key, value in own.items()}


def _first_fault(error: ValidationError) -> str:
    """The first thing that is wrong: where, its value, its limit and what to do."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "[key]" and not str(part).startswith("literal["))
    if first["type"] == "value_error":
        return f"{place}: {limit_in(first)}" if place else limit_in(first)
    if first["type"] == "extra_forbidden":
        return f"{place} is not a setting of the rules: correct or remove it"
    if "[key]" in first["loc"]:
        return f"{place} is not a condition: choose of {', '.join(CONDITIONS)}"
    return f"{place}={first['input']!r}: {limit_in(first)}: correct it"
