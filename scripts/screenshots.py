"""Write docs/screenshots/: pages about made data of 2 to 1,000 classes, as Chromium shows them.

Run from the repository: .venv/bin/python -m scripts.screenshots [FOLDER]
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.page import render_page
from pipeline.showing.drawings import draw_curves, inline
from tests.page.made_pages import make_page

TARGET = Path(__file__).parents[1] / "docs" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
READY = "[...document.querySelectorAll('.canvas')].every((each) => each.dataset.ready)"
MARGIN, MAX_BYTES = 24, 250_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A picture of some sections of a page, after something was done to it."""

    name: str
    n_classes: int
    first: str
    last: str
    prepare: Callable[[Page], None] | None = None
    width: int = 1200
    max_height: int = 1700
    scheme: str = "light"


def open_a_cell(page: Page) -> None:
    """Show the images of a confusion."""
    page.locator("#confusion td.wrong button").first.click()
    page.locator("#confusion td.wrong button").first.blur()


def point_at_a_mistake(page: Page) -> None:
    """Leave the pointer on a point of the map."""
    page.locator("#map").evaluate("(each) => each.scrollIntoView()")
    x, y = page.evaluate(
        """() => {
          const view = [...Bokeh.index.roots].find((each) => each.model.name === "map");
          const { data } = view.model.document.get_model_by_name("map-wrong");
          const box = document.getElementById("map-canvas").getBoundingClientRect();
          const k = data.x.length - 1;
          return [
            box.left + view.frame.x_scale.compute(data.x[k]),
            box.top + view.frame.y_scale.compute(data.y[k]),
          ];
        }"""
    )
    page.mouse.move(x, y)
    page.locator("#hover-card").wait_for()


def sort_by_recall(page: Page) -> None:
    """Put the classes that are found least often first."""
    for _ in range(2):
        page.locator("#class-table .sort").nth(1).click()
    page.locator("#class-table .sort").nth(1).blur()
    page.mouse.move(0, 0)


SHOTS = (
    Shot(name="report-2-classes", n_classes=2, first="answer", last="mistakes"),
    Shot(
        name="report-10-classes", n_classes=10, first="answer", last="matrix", prepare=open_a_cell
    ),
    Shot(
        name="report-120-classes",
        n_classes=120,
        first="answer",
        last="classes",
        prepare=sort_by_recall,
        max_height=2_250,
    ),
    Shot(name="report-1000-classes", n_classes=1_000, first="matrix", last="classes"),
    Shot(
        name="report-dark",
        n_classes=10,
        first="map",
        last="curves",
        scheme="dark",
        prepare=point_at_a_mistake,
    ),
    Shot(name="report-phone", n_classes=10, first="answer", last="matrix", width=390),
)
N_TEST = {2: 280, 10: 2_000, 120: 2_400, 1_000: 10_000}
MAX_PICTURES = 2_400


def write_page(folder: Path, n_classes: int) -> Path:
    """Write the page of so many classes with its drawings."""
    content = make_page(n_classes, n_test=N_TEST[n_classes], n_pictures=MAX_PICTURES)
    drawn = inline(draw_curves(content.report, content.rows))
    path = folder / f"{n_classes}.html"
    path.write_text(render_page(replace(content, figures=drawn)), encoding="utf-8")
    return path


def take(browser: Browser, path: Path, shot: Shot) -> bytes:
    """Return a picture of a page as a small PNG."""
    page = browser.new_page(
        viewport={"width": shot.width, "height": shot.max_height},
        color_scheme=shot.scheme,
        reduced_motion="reduce",
    )
    page.goto(path.as_uri())
    page.wait_for_function(READY)
    if shot.prepare is not None:
        shot.prepare(page)
    page.locator("#content" if shot.first == "answer" else f"#{shot.first}").evaluate(
        "(each) => each.scrollIntoView()"
    )
    page.wait_for_timeout(500)
    last = page.locator(f"#{shot.last}").bounding_box()
    height = min(last["y"] + last["height"] + MARGIN, shot.max_height)
    taken = page.screenshot(clip={"x": 0, "y": 0, "width": shot.width, "height": height})
    page.close()
    return shrink(taken)


def shrink(picture: bytes) -> bytes:
    """Return a PNG with a palette, whose colours are moved to where most pixels have theirs."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    stream = io.BytesIO()
    shrunk = image.quantize(256, kmeans=4, dither=Image.Dither.NONE)
    shrunk.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def main() -> None:
    """Take them all."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.mkdir(parents=True, exist_ok=True)
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        sys.exit(f"No browser to take pictures with. Install one of {', '.join(BROWSERS)}.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        pages = {n: write_page(Path(folder), n) for n in N_TEST}
        for shot in SHOTS:
            picture = take(browser, pages[shot.n_classes], shot)
            (target / f"{shot.name}.png").write_bytes(picture)
            print(f"{shot.name}.png: {len(picture) / 1000:.0f} kB")
            if len(picture) > MAX_BYTES:
                sys.exit(f"{shot.name}.png is larger than {MAX_BYTES / 1000:.0f} kB.")
        browser.close()


if __name__ == "__main__":
    main()
