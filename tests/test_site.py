"""The site is built, its plots show the tables, and it works where it is a file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import plots
import pytest

from tests.app.conftest import FLAGS, chromium

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the pages; a warning while they are built fails."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir"]
    done = subprocess.run(
        [*command, str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    api = (site / "api.html").read_text(encoding="utf-8")
    assert 'id="fiftyone_dfaulo.compute_suspiciousness"' in api
    assert "<math" in (site / "method.html").read_text(encoding="utf-8")
    tour = (site / "notebooks" / "tour.html").read_text(encoding="utf-8")
    assert "data:image/png" in tour
    for page in site.rglob("*.html"):  # nothing is fetched from elsewhere
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|link)\b[^>]*(?:src|href)="https?:', text)


def test_the_search_works_where_a_page_is_opened_as_a_file(site: Path) -> None:
    path = chromium()
    from playwright.sync_api import expect, sync_playwright

    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.goto((site / "guides" / "boxes.html").as_uri())
        page.get_by_role("textbox", name="Search").press_sequentially("byte for byte")
        results = page.locator(".md-search-result__item")
        expect(results.filter(has_text="Review in the App")).to_be_visible()
        browser.close()
    assert said == []


@pytest.mark.parametrize("name", plots.PLOTS)
def test_a_plot_shows_the_table_of_today(name: str) -> None:
    drawn = (ROOT / "docs" / "images" / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn == plots.PLOTS[name](), "run tools/plots.py"
    pages = (ROOT / "docs").rglob("*.md")
    assert any(f"images/{name}.svg" in page.read_text("utf-8") for page in pages)


def test_a_number_is_read_as_it_is_written() -> None:
    cells = [".955 ± .008", "1,000", "1.000 ± .000", "34", "**.5**"]
    assert [plots.number(cell) for cell in cells] == [0.955, 1000, 1, 34, 0.5]
    with pytest.raises(ValueError, match="no number in 'none'"):
        plots.number("none")
