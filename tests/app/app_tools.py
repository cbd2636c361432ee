"""The App as a person uses it, in words of what is on the screen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, Request, Route, expect

SECONDS = 1000.0  # Playwright counts in milliseconds
SOON = 120 * SECONDS

LABEL = "Find suspicious labels"

expect.set_options(timeout=SOON)


class App:
    """One tab of the browser, with the App in it."""

    def __init__(self, tab: Page, url: str, artifacts: Path) -> None:
        self.tab = tab
        self.url = url
        self.artifacts = artifacts
        tab.set_default_timeout(SOON)
        self._asked: set[Request] = set()
        self._last = time.monotonic()
        tab.on("request", self._ask)
        tab.on("requestfinished", self._answer)
        tab.on("requestfailed", self._answer)

    def open(self) -> None:
        """Opens the dataset and sends the pop-ups away."""
        self.tab.goto(self.url)
        expect(self.tiles.first).to_be_visible()
        for pop_up in ("Dismiss", "Disable"):  # Enterprise; cookies, if they are asked
            button = self.tab.get_by_role("button", name=pop_up, exact=True)
            if button.is_visible():
                button.click()

    def settle(self) -> None:
        """Waits until all requests are answered, and none has followed for a second.

        Nothing on the screen tells: the App sends some after all is drawn.
        """
        expect(self.tiles.first).to_be_visible()
        end = time.monotonic() + SOON / SECONDS
        while self._asked or time.monotonic() - self._last < 1:
            assert time.monotonic() < end, [request.url for request in self._asked]
            self.tab.wait_for_timeout(0.1 * SECONDS)

    @contextmanager
    def slowed(self, seconds: float = 0.3) -> Iterator[None]:
        """Has the server's answers to queries come later, as on a slow machine."""

        def wait(route: Route) -> None:
            time.sleep(seconds)
            route.continue_()

        self.tab.route("**/graphql", wait)
        yield
        self.settle()
        self.tab.unroute("**/graphql", wait)

    def _ask(self, request: Request) -> None:
        if not request.url.endswith("/events"):  # a stream, open as long as the tab
            self._asked.add(request)
            self._last = time.monotonic()

    def _answer(self, request: Request) -> None:
        self._asked.discard(request)
        self._last = time.monotonic()

    @property
    def tiles(self) -> Locator:
        """The samples in the grid."""
        return self.tab.locator("[data-cy=fo-grid] [data-cy=looker]")

    @property
    def form(self) -> Locator:
        """The operator's form."""
        return self.tab.locator("[data-cy=operators-prompt-modal]")

    @property
    def drawer(self) -> Locator:
        """The form of an operator that stands beside the grid."""
        return self.tab.locator("[data-cy=operators-prompt-drawer]")

    @property
    def message(self) -> Locator:
        """What the running operator shows: its progress, then its summary."""
        return self.tab.locator("[data-cy=operators-prompt-view-modal]")

    def open_form(
        self, label: str = LABEL, search: str = "suspicious", shows: str = "Brain key"
    ) -> None:
        """Finds the operator in the operator browser and opens its form.

        Args:
            label: the operator's.
            search: what is typed to find it.
            shows: what stands in the form.
        """
        expect(self.tab.locator("[data-cy=action-browse-operations]")).to_be_visible()
        self.tab.keyboard.press("`")
        expect(self.tab.locator("[data-cy=operators-browser]")).to_be_visible()
        self.tab.keyboard.type(search)
        self.tab.get_by_text(label).first.click()
        expect(self.form.get_by_text(shows)).to_be_visible()

    def fill(self, label: str, value: str) -> None:
        """Fills in the text field under this label."""
        self.input(label).fill(value)

    def input(self, label: str) -> Locator:
        """The text field under this label."""
        return self.form.locator(
            f"xpath=.//*[normalize-space(text())='{label}']/following::input[1]"
        )

    def button(self, name: str) -> Locator:
        """The button of the form with this name."""
        return self.form.get_by_role("button", name=name, exact=True)

    def choose_to_schedule(self) -> None:
        """Makes the form's button schedule, by the menu beside it."""
        self.form.locator("[aria-label='split button'] button").last.click()
        self.tab.get_by_role("menuitem").filter(has_text="Schedule").click()
        expect(self.button("Schedule")).to_be_enabled()

    def progress(self) -> tuple[str, int] | None:
        """Stage and per cent on the screen; None if there is no progress to see."""
        shown = " ".join(self.message.all_inner_texts()).split()
        match = re.fullmatch(r"(\d+)% (.+) Cancel .+ Done", " ".join(shown))
        return (match[2], int(match[1])) if match else None

    def works_until(self, text: str) -> None:
        """Waits for what a running operator says at its end, as long as it works.

        How long that takes is up to the machine: the time starts anew while the
        progress is on the screen.
        """
        shown = self.tab.get_by_text(text).first
        end = time.monotonic() + SOON / SECONDS
        while not shown.is_visible():
            if self.progress():
                end = time.monotonic() + SOON / SECONDS
            assert time.monotonic() < end, f"neither progress nor {text!r}"
            self.tab.wait_for_timeout(0.1 * SECONDS)

    def tags(self, tile: int) -> dict[str, str]:
        """Field to text of what a tile shows over its image."""
        found = self.tiles.nth(tile).locator("[data-cy^=tag-]")
        return {
            str(tag.get_attribute("data-cy")).removeprefix("tag-"): tag.inner_text()
            for tag in found.all()
        }

    def opened_sample(self, tile: int) -> str:
        """Id of the sample that opens when a tile is clicked; closes it again."""
        self.settle()
        box = self.tiles.nth(tile).bounding_box()
        assert box is not None  # the upper half of a small tile selects it
        place = {"x": box["width"] - 9, "y": 0.65 * box["height"]}
        self.tiles.nth(tile).click(position=place)
        self.tab.wait_for_url(re.compile(r"[?&]id="))
        match = re.search(r"[?&]id=(\w+)", self.tab.url)
        modal = self.tab.locator("[data-cy=modal]")
        expect(modal).to_be_visible()
        self.settle()  # before it is all there, it does not hear the key
        self.tab.keyboard.press("Escape")
        expect(modal).to_be_hidden()
        return match[1] if match else ""

    def photograph(self, name: str) -> None:
        """Keeps a picture of the screen among the test artifacts."""
        self.artifacts.mkdir(parents=True, exist_ok=True)
        file = re.sub(r"\W+", "-", name)
        self.tab.screenshot(path=self.artifacts / f"{file}.png")
