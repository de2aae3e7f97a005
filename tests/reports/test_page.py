"""The page: one file, escaped, complete, and readable without colour, script or network."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.schema import Case, Finding, Record, Verdict, Waiver
from reports import page
from tests.reports import sample
from tests.reports.conftest import Golden

RECORD = sample.record()
VOID = {"meta", "link", "br", "hr", "img", "input"}
ROOT = Path(__file__).parents[2]


class Outline(HTMLParser):
    """Tags and ids of a page; an element that is not closed in order is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def visible(html: str) -> str:
    """The words of a page with tags taken out and spaces evened."""
    body = html.split("<body>")[1]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("\u00a0", " ")


def test_the_page_of_the_sample(html: str, golden: Golden) -> None:
    golden("page.html", html)


def test_every_element_is_closed_and_every_id_is_its_own(html: str) -> None:
    outline = Outline(html)

    assert [] == outline.open and len(set(outline.ids)) == len(outline.ids)


def test_nothing_is_loaded_and_no_link_leads_nowhere(html: str) -> None:
    outline = Outline(html)

    assert {"data:,"} | {link for link in outline.links if link.startswith("#")} == set(outline.links)
    assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids)


def test_no_script_stands_in_the_page_and_no_handler(html: str) -> None:
    outline = Outline(html)

    assert "script" not in outline.tags and not [name for name in outline.attributes if name.startswith("on")]
    assert "<script" not in html and "&lt;script&gt;" in html


def test_each_probe_has_its_id_as_anchor(html: str, record: Record) -> None:
    assert set(record.probes) <= set(Outline(html).ids)


def test_the_page_is_small(html: str) -> None:
    assert len(html.encode()) < 150_000


@pytest.mark.parametrize(
    "words",
    [
        "BLOCK",
        "At least one rule is broken on its whole interval.",
        "Is the flip rate at most 8 % in every slice?",
        "12.4 % (9.8 to 15.6)",
        "worst slice: typos",
        "the waiver of QA expired on 2026-06-30",
        "Waived by search team until 2026-12-31: mobile keyboards correct typos &lt;before&gt; us",
        "About 2,400 more examples would decide (2,900 in all).",
        "With this n, a truth 2.1 points from the limit is decided four times in five.",
        "audit run configs/demo-in-context.yaml ended with exit code 1",
        "n = 500 of 10,605",
        "1 August 2026, 14:03 UTC",
        "UNSURE: 4.2 points (2.1 to 6.9), n = 500, wanted at most 5 points",
        "a perfectly calibrated model would show 3.2 points on average",
        "98,800 of 100,000 characters are not shown",
        "human_feedback used: true; evidence: model card, section 3",
        "134,515,008",
        "3,388, 19 texts/s",
        "1,204,000 saved by shared prefixes",
        "File &quot;probes/efficiency/latency.py&quot;, line 0, in run".replace("&quot;", "&#34;"),
    ],
)
def test_the_reader_finds(html: str, words: str) -> None:
    assert words.lower() in visible(html).lower()


def test_no_number_has_more_digits_than_it_can_bear(html: str) -> None:
    config = html.split("The config, as read")[1]

    assert [] == re.findall(r"\d+\.\d{5,}", visible(re.sub(r"arXiv:[0-9.]+", "", html.replace(config, ""))))


def test_every_status_is_a_word_and_a_sign_beside_its_colour(html: str) -> None:
    pills = re.findall(r'<span class="pill[^>]*><span aria-hidden="true">(.)</span> ([^<]+)</span>', html)

    assert len(pills) == html.count('class="pill') and all(word.strip() for _, word in pills)


def test_every_table_has_a_caption_and_every_picture_a_name(html: str) -> None:
    assert html.count("<table") == html.count("<caption>")
    assert html.count("<svg") == html.count('role="img"') == html.count("<desc ")


def test_a_record_without_anything_says_that_nothing_was_judged(record: Record) -> None:
    bare = replace(record, outcomes=(), verdicts=(), checklist=(), probes={}, about={}, data=(), declared={})

    html = page.render(bare, decision="UNDECIDED", exit_code=3)

    assert [] == Outline(html).open and "nothing was judged" in html


def promoted(record: Record, *verdicts: Verdict) -> str:
    sound = tuple(outcome for outcome in record.outcomes if outcome.kind != "crash")
    return page.render(replace(record, verdicts=verdicts, outcomes=sound), decision="PROMOTE", exit_code=0)


def test_a_promotion_rests_on_whole_intervals(record: Record) -> None:
    html = promoted(record, record.verdicts[0])

    assert "Every rule holds on its whole interval." in html and '<h2 class="small">Why' not in html


def test_a_promotion_with_a_waiver_says_so_at_the_top(record: Record) -> None:
    html = promoted(record, record.verdicts[0], record.verdicts[3])

    assert "or is waived by name." in html and "1 UNSURE, 1 waived" in html


def test_a_promotion_with_open_rules_says_so_at_the_top(record: Record) -> None:
    assert "accepted as warnings" in promoted(record, record.verdicts[0], record.verdicts[2])


def test_an_incomplete_run_says_how_to_resume(record: Record) -> None:
    html = page.render(record, decision="INCOMPLETE", exit_code=4)

    assert "the same command resumes it" in html and "exit code 4" in html


def test_a_page_of_very_many_long_examples_stays_under_two_megabytes(record: Record) -> None:
    finding = next(o for o in record.outcomes if isinstance(o, Finding) and o.cases)
    case = Case(example="x", text="<&>\"'" * 400, changed="<&>\"' " * 400, before="a", after="b")
    many = tuple(replace(finding, slice=f"s{i}", cases=(case,) * 20, series=None) for i in range(200))

    html = page.render(replace(record, outcomes=many), decision="BLOCK", exit_code=1)

    assert len(html.encode()) < 2_000_000 and "17 more stand in record.json" in html


@pytest.mark.parametrize(
    ("after", "shown"),
    [("b", "Text → a then → b (changed)"), ("a", "Text → a then → a"), (None, "Text → a")],
)
def test_a_text_that_was_asked_twice_shows_both_answers(
    record: Record, after: str | None, shown: str
) -> None:
    finding = next(o for o in record.outcomes if isinstance(o, Finding))
    case = Case(example="twice", text="the same text", before="a", after=after)
    one = replace(finding, cases=(case,), series=None)

    html = page.render(replace(record, outcomes=(one,)), decision="BLOCK", exit_code=1)

    (said,) = re.findall(r'<div class="case">.*?<dt>(.*?)</dt>', html, re.DOTALL)
    assert shown == " ".join(re.sub("<.*?>", "", said).split())


NASTY = st.text(st.characters(), max_size=40)


@settings(max_examples=15, deadline=None)
@given(text=NASTY)
def test_any_text_anywhere_leaves_a_sound_page(text: str) -> None:
    hostile = replace(
        RECORD,
        name=text,
        config=text,
        rules=text,
        labels=(text,),
        declared={text: [text, {text: text}]},
        about=dict.fromkeys(RECORD.about, text),
        outcomes=tuple(replace(o, probe=text) for o in RECORD.outcomes),
        verdicts=tuple(
            replace(v, reason=text, waiver=Waiver(rule=text, owner=text, reason=text, expires=text))
            for v in RECORD.verdicts
        ),
        checklist=tuple(replace(item, question=text, evidence=(text,)) for item in RECORD.checklist),
    )

    html = page.render(hostile, decision="BLOCK", exit_code=1, command=text)

    outline = Outline(html)
    assert [] == outline.open and "script" not in outline.tags
    html.encode("utf-8")


def colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", css))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [
        *[(front, back) for front in ("ink", "muted", "link") for back in ("ground", "raised")],
        *[(status, f"{status}-tint") for status in ("pass", "fail", "unsure", "none")],
        *[("ink", back) for back in ("ins", "del", "unsure-tint", "fail-tint", "none-tint")],
        *[("on-c0", "c0"), ("fail", "ground"), ("pass", "ground"), ("unsure", "ground"), ("fail", "raised")],
    ],
)
def test_words_stand_out_from_their_ground_in_both_schemes(scheme: int, front: str, back: str) -> None:
    css = (ROOT / "reports/templates/page.css").read_text(encoding="utf-8")
    colour = colours(re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)[scheme])

    light, dark = sorted((luminance(colour[front]), luminance(colour[back])), reverse=True)

    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_report_needs_no_heavy_library() -> None:
    code = (
        "import sys; from reports import page, terminal, junit, checklist_md; "
        "heavy = {'torch', 'transformers', 'numpy', 'pandas', 'matplotlib', 'scipy'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )

    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "[]" == told.stdout.strip()


def test_the_sample_holds_every_status_and_kind(record: Record) -> None:
    series = {o.series.kind for o in record.outcomes if isinstance(o, Finding) and o.series is not None}

    assert {"reliability", "curve", "dots", "bars", "matrix"} == series
    assert {"PASS", "FAIL", "UNSURE", "NOT MEASURED", "NOT APPLICABLE"} == {v.status for v in record.verdicts}
    assert {"finding", "skip", "crash"} == {outcome.kind for outcome in record.outcomes}
    assert 100_000 == len(sample.LONG)
