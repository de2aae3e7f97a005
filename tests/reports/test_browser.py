"""The page in a real browser: silent, still, and readable on a phone and on a desk, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

Scheme = Literal["light", "dark"]

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Debian chromium: apt-get install chromium"),
]


@dataclass
class Heard:
    """What the browser reported while the page was open."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


def opened(browser: Browser, html: str, place: Path, width: int, scheme: Scheme) -> tuple[Page, Heard]:
    file = place / "report.html"
    file.write_text(html, encoding="utf-8")
    heard = Heard()
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: heard.console.append(message.text))
    page.on("pageerror", lambda error: heard.console.append(str(error)))
    page.on("request", lambda request: heard.requests.append(request.url))
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return page, heard


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_is_silent_still_and_fits(
    browser: Browser, html: str, tmp_path: Path, width: int, scheme: Scheme
) -> None:
    page, heard = opened(browser, html, tmp_path, width, scheme)

    assert [] == heard.console
    assert ["report.html", ","] == [
        url.rpartition("/")[2].removeprefix("data:") for url in heard.requests
    ] or ["report.html"] == [url.rpartition("/")[2] for url in heard.requests]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "owned" != page.title() and page.title().startswith("BLOCK")
    assert "BLOCK" == page.locator("h1").inner_text()
    assert page.get_by_role("row", name="Is the flip rate at most 8 % in every slice?").is_visible()


def test_dark_is_dark(browser: Browser, html: str, tmp_path: Path) -> None:
    page, _ = opened(browser, html, tmp_path, 800, "dark")

    assert "rgb(20, 23, 28)" == page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_tables_keep_their_roles_where_rows_are_stacked(browser: Browser, html: str, tmp_path: Path) -> None:
    page, _ = opened(browser, html, tmp_path, 400, "light")

    assert 7 == page.locator("table.rules").get_by_role("row").count()
    assert 6 == page.locator("table.rules").get_by_role("rowheader").count()


def test_a_picture_is_announced_by_its_title(browser: Browser, html: str, tmp_path: Path) -> None:
    page, _ = opened(browser, html, tmp_path, 1280, "light")

    assert page.get_by_role("img", name="Confidence against accuracy").is_visible()


def test_no_text_of_a_picture_leaves_its_frame(browser: Browser, html: str, tmp_path: Path) -> None:
    page, _ = opened(browser, html, tmp_path, 400, "light")

    outside = page.evaluate(
        """[...document.querySelectorAll('svg.figure')].flatMap(svg => {
             const frame = svg.getBoundingClientRect();
             return [...svg.querySelectorAll('text')].filter(t => {
               const box = t.getBoundingClientRect();
               return box.left < frame.left - 2 || box.right > frame.right + 2;
             }).map(t => t.textContent);
           })"""
    )

    assert [] == outside
