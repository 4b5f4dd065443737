"""The blocks that every dashboard is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")  # provisioning/datasources
WIDTH = 24  # of Grafana's grid
STAT_SPAN, STAT_HEIGHT = 4, 4
GRAPH_SPAN, GRAPH_HEIGHT = 8, 8
USABLE = '{decision!="unusable"}'

Unit = Literal["short", "s", "bytes", "percentunit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number of now.

    Attributes
    ----------
    title, about : what it is, and what it means
    expr : the query
    unit : as Grafana names units
    """

    title: str
    about: str
    expr: str
    unit: Unit = "short"

    def built(self) -> Any:
        """Return the panel."""
        return (
            stat.Panel()
            .title(self.title)
            .description(self.about)
            .unit(self.unit)
            .datasource(SOURCE)
            .span(STAT_SPAN)
            .height(STAT_HEIGHT)
            .with_target(_query(self.expr, self.title, "A"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Lines over time.

    Attributes
    ----------
    title, about : what it is, and what it means
    lines : the query of each line, or of several, by its legend
    unit : as Grafana names units
    """

    title: str
    about: str
    lines: Mapping[str, str]
    unit: Unit = "short"

    def built(self) -> Any:
        """Return the panel."""
        legend = (
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        panel = (
            timeseries.Panel()
            .title(self.title)
            .description(self.about)
            .unit(self.unit)
            .min(0)
            .datasource(SOURCE)
            .span(GRAPH_SPAN)
            .height(GRAPH_HEIGHT)
            .legend(legend)
            .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        )
        for number, (name, expr) in enumerate(self.lines.items()):
            panel = panel.with_target(_query(expr, name, chr(ord("A") + number)))
        return panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Spread of values over time: the buckets of a histogram as colours.

    Attributes
    ----------
    title, about : what it is, and what it means
    expr : the query, by ``le``
    unit : of the values
    """

    title: str
    about: str
    expr: str
    unit: Unit = "short"

    def built(self) -> Any:
        """Return the panel."""
        return (
            heatmap.Panel()
            .title(self.title)
            .description(self.about)
            .unit(self.unit)
            .calculate(False)
            .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(32))
            .datasource(SOURCE)
            .span(GRAPH_SPAN)
            .height(GRAPH_HEIGHT)
            .with_target(_query(self.expr, "{{le}}", "A").format(PromQueryFormat.HEATMAP))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard.

    Attributes
    ----------
    name : of its file, and of its address
    title, about : what it is, and what it shows
    rows : the panels under each heading, from left to right
    variables : what the user may choose: the query of the label's values, by the variable's name
    """

    name: str
    title: str
    about: str
    rows: Mapping[str, Sequence[Number | Graph | Spread]]
    variables: Mapping[str, str] = field(default_factory=dict)

    def built(self) -> Any:
        """Return the dashboard, as Grafana's JSON has it."""
        board = (
            dashboard.Dashboard(f"ecgstream: {self.title}")
            .uid(f"ecgstream-{self.name}")
            .description(f"{self.about} Not a medical display.")
            .tags(["ecgstream"])
            .readonly()
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .refresh("5s")
            .time("now-15m", "now")
            .timezone("browser")
        )
        for name, query in self.variables.items():
            board = board.with_variable(
                dashboard.QueryVariable(name)
                .label(name)
                .query(query)
                .datasource(SOURCE)
                .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
                .include_all(True)
                .all_value(".*")
            )
        numbers = count(1)
        for heading, panels in self.rows.items():
            board = board.with_row(dashboard.Row(heading).id(next(numbers)))
            for panel in panels:
                board = board.with_panel(panel.built().id(next(numbers)))
        return board.build()


def _query(expr: str, legend: str, ref_id: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(ref_id).datasource(SOURCE)


def per_second(counter: str, *, by: str | None = None, per: int = 1) -> str:
    """Return the query for how fast a counter grows, over all instances.

    Parameters
    ----------
    counter : its name, with a selector if need be
    by : labels that are told apart
    per : of how many seconds it is told: 60 gives a minute
    """
    rate = f"sum{f' by ({by})' if by else ''} (rate({counter}[$__rate_interval]))"
    return rate if per == 1 else f"{per} * {rate}"


def quantiles(histogram: str, *shares: float, selector: str = "") -> dict[str, str]:
    """Return the queries for quantiles of a histogram over all instances, by legend: p50, p99 and so on.

    Parameters
    ----------
    histogram : its name, without ``_bucket``
    shares : 0.5 for the median
    selector : in braces, or nothing
    """
    return {
        f"p{100 * share:g}": f"histogram_quantile({share:g}, sum by (le) "
        f"(rate({histogram}_bucket{selector}[$__rate_interval])))"
        for share in shares
    }


def share_of_windows(decision: str, *, among: str = "") -> str:
    """Return the query for the share of windows with a decision.

    Parameters
    ----------
    decision : which
    among : a selector of the windows that count, in braces; nothing for all
    """
    windows = "ecgstream_detector_windows_total"
    part = f'{windows}{{decision="{decision}"}}'
    return f"{per_second(part)} / {per_second(windows + among)}"
