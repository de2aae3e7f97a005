"""What stands in the terminal after a run: verdicts, checklist, gaps, cost, and the decision last."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule as Divider
from rich.table import Table
from rich.text import Text

from audit.schema import ItemStatus, Record, Verdict
from reports import wording
from reports.digits import amount, count, duration, interval, plural
from reports.plain import one_line
from reports.wording import Decision

_STYLES: dict[ItemStatus, str] = {
    "PASS": "green",
    "FAIL": "bold red",
    "UNSURE": "yellow",
    "MEASURED": "default",
    "DECLARED": "default",
    "NOT MEASURED": "magenta",
    "NOT APPLICABLE": "dim",
}
_DECISIONS: dict[Decision, str] = {
    "PROMOTE": "bold green",
    "BLOCK": "bold red",
    "UNDECIDED": "bold yellow",
    "INCOMPLETE": "bold magenta",
}
_HEADS = ("verdict", "rule", "limit", "estimate (interval)", "n")
_NARROWEST = 80
_STATUS_WIDTH = max(len(f"{wording.MARKS[status]} {status}") for status in wording.MARKS)


def render(
    record: Record, *, decision: Decision, exit_code: int, width: int = 100, color: bool = True
) -> str:
    """Return the text, at most `width` columns wide; without `color` it holds no control characters.

    Args:
        record: all that the run learned.
        decision: the gate's word for the run; shown, never worked out here.
        exit_code: what the command will end with.
        width: columns of the terminal; below 80 the text is made for 80 and the terminal wraps it.
        color: True for ANSI colours.
    """
    console = Console(
        file=StringIO(),
        width=max(width, _NARROWEST),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},  # the text is a function of its arguments, not of the environment
    )
    with console.capture() as captured:
        console.print(_head(record))
        _print_rules(console, record)
        _print_checklist(console, record)
        _print_gaps(console, record)
        _print_cost(console, record)
        console.print(_decision(record, decision, exit_code))
    lines = captured.get().split("\n")
    return "\n".join(line.rstrip(" ") for line in lines)


def _head(record: Record) -> Text:
    test = next((source for source in record.data if source.name == "test"), None)
    model = (record.model.source, record.model.kind, record.model.dtype)
    parts = [record.name, ", ".join(filter(None, model))]
    if test is not None:
        parts.append(f"{test.path}, n = {count(test.used)}")
    return Text(one_line(" · ".join(parts)), style="bold")


def _print_rules(console: Console, record: Record) -> None:
    console.print(Divider(f"Rules ({one_line(record.rules)})", align="left", style="dim", characters="─"))
    if not record.verdicts:
        console.print("No rule was given, so nothing was judged.")
        return
    judged = [verdict for verdict in record.verdicts if verdict.status != "NOT APPLICABLE"]
    rows = [_rule(record, verdict) for verdict in judged]
    widths = [max(len(head), *(row[i].cell_len for row in rows)) for i, head in enumerate(_HEADS) if rows]
    if rows:
        console.print(_line([Text(head, style="dim") for head in _HEADS], widths))
    for verdict, row in zip(judged, rows, strict=True):
        console.print(_line(row, widths))
        reasons = Text("\n".join(_because(verdict)), style="dim")
        console.print(Padding(reasons, (0, 0, 0, _STATUS_WIDTH + 2)))
    _print_idle(console, record)


def _print_idle(console: Console, record: Record) -> None:
    """Print the rules that cannot apply, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for verdict in record.verdicts:
        if verdict.status == "NOT APPLICABLE":
            by_reason.setdefault(verdict.reason, []).append(verdict.rule.id)
    for reason, ids in by_reason.items():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True, show_header=False)
        table.add_column(width=_STATUS_WIDTH)
        table.add_column(ratio=1, overflow="fold")
        said = f"{plural(len(ids), 'rule')}: {reason}: {', '.join(ids)}"
        table.add_row(
            Text(f"{wording.MARKS['NOT APPLICABLE']} NOT APPLICABLE", style=_STYLES["NOT APPLICABLE"]),
            Text(one_line(said), style="dim"),
        )
        console.print(table)


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Table:
    """Return one row; all rows get the same widths, and what is left over goes to the rule."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True, show_header=False)
    table.add_column(width=_STATUS_WIDTH)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(width=min(widths[2], 12), overflow="fold")
    table.add_column(width=min(widths[3], 27), overflow="fold")
    table.add_column(width=min(widths[4], 9), justify="right", overflow="fold")
    table.add_row(*cells)
    return table


def _rule(record: Record, verdict: Verdict) -> tuple[Text, Text, Text, Text, Text]:
    rule, estimate = verdict.rule, verdict.estimate
    unit = wording.unit_of(record, rule.probe, rule.metric)
    where = {"all": "", "worst": ", every slice"}.get(rule.slice, f", {rule.slice}")
    status = Text(f"{wording.MARKS[verdict.status]} {verdict.status}", style=_STYLES[verdict.status])
    sign = "≤" if rule.max is not None else "≥"
    limit = one_line(f"{sign} {amount(wording.limit_of(rule), unit)}")
    value = "–" if estimate is None else interval(estimate, unit, limit=wording.limit_of(rule))
    n = "–" if estimate is None else count(estimate.n)
    name = one_line(wording.metric(rule.metric) + where)
    return status, Text(name), Text(limit), Text(one_line(value)), Text(n)


def _because(verdict: Verdict) -> list[str]:
    """Return the lines under a rule: its id, why, what would decide, who answers for it."""
    reason = "" if verdict.status == "PASS" else f": {verdict.reason}"
    needed = wording.needed(verdict.needed_n, None if verdict.estimate is None else verdict.estimate.n)
    lines = [verdict.rule.id + reason + (f"; {needed}" if needed else "")]
    if verdict.waiver is not None:
        waiver = verdict.waiver
        lines.append(f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}")
    return [one_line(line) for line in lines]


def _print_checklist(console: Console, record: Record) -> None:
    console.print()
    console.print(Divider("Checklist", align="left", style="dim", characters="─"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, expand=True)
    table.add_column(width=_STATUS_WIDTH)
    table.add_column(max_width=6)
    table.add_column(ratio=1)
    for item in record.checklist:
        status = Text(f"{wording.MARKS[item.status]} {item.status}", style=_STYLES[item.status])
        table.add_row(status, Text(one_line(item.id)), Text(one_line(item.question)))
    console.print(table)


def _print_gaps(console: Console, record: Record) -> None:
    crashes = [outcome for outcome in record.outcomes if outcome.kind == "crash"]
    rows = [_gap("crashed", "bold red", crash.probe, crash.error) for crash in crashes]
    whose: dict[tuple[bool, str], list[str]] = {}
    for probe in dict.fromkeys(outcome.probe for outcome in record.outcomes if outcome.kind == "skip"):
        skips = [o for o in record.outcomes if o.kind == "skip" and o.probe == probe]
        for metrics, skip in wording.gaps(skips):
            what = f"{probe} ({metrics})" if metrics else probe
            whose.setdefault((skip.applicable, skip.reason), []).append(what)
    for (applicable, reason), names in whose.items():
        word = "skipped" if applicable else "not applicable"
        rows.append(_gap(word, "magenta", ", ".join(names), reason))
    if not rows:
        return
    console.print()
    console.print(Divider("Not measured", align="left", style="dim", characters="─"))
    for row in rows:
        console.print(row)


def _gap(word: str, style: str, what: str, why: str) -> Text:
    return Text.assemble((f"{word}: ", style), (f"{one_line(what)}: ", "bold"), one_line(why))


def _print_cost(console: Console, record: Record) -> None:
    usage = record.times.usage
    parts = [
        f"{plural(usage.asked, 'text')} asked",
        f"{count(usage.repeated)} saved by repetition",
        f"{count(usage.cached)} saved by cache",
        f"{count(usage.scored)} scored" + (f" at {wording.speed(usage)}" if wording.speed(usage) else ""),
        f"{count(usage.tokens)} tokens",
    ]
    if usage.tokens_saved:
        parts.append(f"{count(usage.tokens_saved)} tokens saved by shared prefixes")
    parts.append(f"{plural(usage.truncated, 'text')} cut to the model's length")
    parts.append(duration(record.times.seconds))
    console.print()
    console.print(Text(one_line(" · ".join(parts)), style="dim"))


def _decision(record: Record, decision: Decision, exit_code: int) -> Padding:
    text = Text.assemble((decision, _DECISIONS[decision]), f"  {wording.decision(record, decision)}")
    return Padding(text.append(f" Exit code {exit_code}."), (1, 0, 0, 0))
