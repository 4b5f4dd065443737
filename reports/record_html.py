"""A report on a recording as one HTML file: no scripts, nothing fetched, and it prints true to scale."""

from functools import cache
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from ecg.urgency import PRIORITY_RANK
from reports.episodes import Episode, ReportFinding
from reports.formats import to_svg
from reports.lettering import clock
from reports.overview import draw_overview
from reports.paper import draw_strip
from reports.record import RecordReport, what_is_left_out

MAX_FINDINGS = 60  # rows; a night of fibrillation has thousands
MAX_EPISODES = 60


def to_html(report: RecordReport) -> str:
    """The report as HTML."""
    urgent = most_urgent(report.found.findings, MAX_FINDINGS)
    overview = draw_overview(report.found.verdicts, report.found.findings, start_s=report.start_s, end_s=report.end_s)
    return _template().render(
        report=report,
        whole=report.whole,
        span=f"{clock(report.start_s)} to {clock(report.end_s)}",
        overview=Markup(to_svg(overview, prefix="overview")) if report.found.verdicts else "",  # noqa: S704 # drawn here, text escaped by matplotlib
        findings=urgent,
        more_findings=len(report.found.findings) - len(urgent),
        left_out=what_is_left_out(report),
        strips=[
            {
                "title": shown.title,
                "start": clock(shown.strip.start_s),
                "end": clock(shown.strip.end_s),
                "lines": shown.lines,
                "svg": Markup(to_svg(draw_strip(shown.strip), prefix=f"strip{number}")),  # noqa: S704 # the same
            }
            for number, shown in enumerate(report.strips, start=1)
        ],
        episodes=report.left_out[:MAX_EPISODES],
        more_episodes=max(0, len(report.left_out) - MAX_EPISODES),
        version=version("ecgstream"),
    )


def most_urgent(findings: tuple[ReportFinding, ...], most: int) -> list[ReportFinding]:
    """The most urgent findings, in time order."""
    chosen = sorted(findings, key=lambda found: (PRIORITY_RANK[found.priority], found.start_s))[:most]
    return sorted(chosen, key=lambda found: (found.start_s, found.kind))


def named(finding: ReportFinding) -> str:
    """A finding in words; an episode says that it is one."""
    return f"{finding.text} episode, as an alarm" if finding.is_episode else finding.text


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"clock": clock, "named": named, "score": _score, "reason": _reason}
    return environment.get_template("record.html")


def _score(episode: Episode) -> str:
    scores = [window.verdict.fused for window in episode.windows if window.verdict.fused is not None]
    return f"{max(scores):.2f}" if scores else ""


def _reason(episode: Episode) -> str:
    return next((window.verdict.reasons[0] for window in episode.worst_first if window.verdict.reasons), "")
