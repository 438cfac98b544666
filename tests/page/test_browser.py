"""Pages as people use them: in a real Chromium, from a file, by mouse, finger and keyboard."""

import re
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest

from pipeline.page import format_value, render_comparison, render_page
from tests.page.made_comparisons import make_comparison, make_hostile_comparison
from tests.page.made_pages import make_hostile_page, make_page

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
CONTENTS = {
    "2": lambda: make_page(2, n_test=280),
    "10": lambda: make_page(10, n_test=2_000),
    "120": lambda: make_page(120, n_test=1_200, n_pictures=300),
    "1000": lambda: make_page(1_000, n_test=3_000, n_pictures=300),
    "10000 rows": lambda: make_page(10, n_test=10_000, n_pictures=300),
    "hostile": make_hostile_page,
}
COMPARISONS = {
    "comparison": make_comparison,
    "hostile comparison": make_hostile_comparison,
}
OVERFLOWING = """() => {
  const scrolls = (element) => {
    for (let up = element.parentElement; up; up = up.parentElement) {
      if (getComputedStyle(up).overflowX !== "visible") return true;
    }
    return false;
  };
  return [...document.body.querySelectorAll("*:not(.unseen)")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width && box.right > innerWidth + 0.5 && !scrolls(element);
  }).map((element) => `${element.tagName}.${element.className}`);
}"""
POINT = """([plot, source, k]) => {
  const view = [...Bokeh.index.roots].find((each) => each.model.name === plot);
  const { data } = view.model.document.get_model_by_name(source);
  const box = document.getElementById(`${plot}-canvas`).getBoundingClientRect();
  return [
    box.left + view.frame.x_scale.compute(data.x[k]),
    box.top + view.frame.y_scale.compute(data.y[k]),
  ];
}"""
COLUMN = """([source, column]) => {
  for (const doc of Bokeh.documents) {
    const found = doc.get_model_by_name(source);
    if (found) return [...found.data[column]];
  }
}"""
RANGES = """(plot) => {
  const view = [...Bokeh.index.roots].find((each) => each.model.name === plot);
  const { x_range, y_range } = view.model;
  return [x_range.start, x_range.end, y_range.start, y_range.end];
}"""
AXE = {"resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def contents():
    return {}


@pytest.fixture
def content_of(contents):
    def get(name):
        if name not in contents:
            contents[name] = {**CONTENTS, **COMPARISONS}[name]()
        return contents[name]

    return get


@pytest.fixture
def open_page(browser, content_of, tmp_path_factory, files):
    """Open a made page from its file; whatever goes wrong in it fails the test."""
    opened, problems = [], []

    def open_one(name, *, width=1200, height=900, **options):
        if name not in files:
            files[name] = tmp_path_factory.mktemp("page") / "report.html"
            render = render_comparison if name in COMPARISONS else render_page
            files[name].write_text(render(content_of(name)), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", **options
        )
        context.set_default_timeout(10_000)
        opened.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda said: said.type in ("error", "warning") and problems.append(said.text),
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        address = files[name].as_uri()
        page.on("request", lambda asked: asked.url != address and problems.append(asked.url[:100]))
        page.goto(address)
        page.wait_for_function(
            "[...document.querySelectorAll('.canvas')].every((each) => each.dataset.ready)"
        )
        return page

    yield open_one
    for context in opened:
        context.close()
    # The pictures of a page are addresses, too, which are no request to anyone.
    assert [each for each in problems if not each.startswith("data:")] == []


@pytest.fixture(scope="module")
def files():
    return {}


@pytest.mark.parametrize("name", CONTENTS)
def test_it_opens_from_disk_without_an_error_or_a_request(open_page, name):
    begun = time.monotonic()
    page = open_page(name)
    seconds = page.evaluate("performance.now()") / 1000
    print(f"{name} classes: ready after {seconds:.2f} s ({time.monotonic() - begun:.2f} in all)")
    assert seconds < 6  # 2 on a machine that does nothing else
    assert page.locator("h1").inner_text().startswith(f"{_n_right(page):,} of ")


def _n_right(page):
    return int(page.locator("h1 [data-derived=right]").get_attribute("value"))


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_comparison_opens_and_sorts(open_page, name):
    page = open_page(name)
    assert page.evaluate("window.hacked") is None
    accuracies = "(cells) => cells.map((cell) => Number(cell.querySelector('data').value))"
    cells = page.locator("#fit-table td:nth-child(2)")
    assert cells.evaluate_all(accuracies) == pytest.approx([0.95, 0.925, 0.9])
    for expected in ([0.95, 0.925, 0.9], [0.9, 0.925, 0.95]):
        page.locator("#fit-table .sort").nth(1).click()
        assert cells.evaluate_all(accuracies) == pytest.approx(expected)
    for expected in (["-0.025", "-0.05", "best"], ["-0.05", "-0.025", "best"]):  # the best is none
        page.locator("#fit-table .sort").nth(2).click()
        texts = page.locator("#fit-table td:nth-child(3)").evaluate_all(
            "(cells) => cells.map((each) => each.querySelector('data')?.value ?? each.textContent)"
        )
        assert [text[:6].rstrip("0") for text in texts] == expected


def test_fault_57_what_is_injected_does_not_run(open_page):
    page = open_page("hostile")
    for button in page.locator("#confusion button").all():
        button.click()
    page.get_by_role("tab").nth(1).click()
    page.locator("#map-canvas").scroll_into_view_if_needed()
    page.mouse.move(*page.evaluate(POINT, ["map", "map-right", 0]))
    page.locator("#hover-card").wait_for()
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img[src='x'], bdi script, bdi img").count() == 0
    assert "{{7*7}}" in page.locator("#confusion").inner_text()


def test_the_policy_stops_what_would_slip_through(browser, tmp_path):
    html = render_page(make_page()).replace("</main>", "<script>window.hacked=1</script></main>")
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("window.hacked") is None
    page.close()


def test_a_cell_shows_exactly_its_images(open_page, content_of):
    page, rows = open_page("10"), content_of("10").rows
    largest = np.argmax(np.bincount(rows.y_true))
    for true, said in ((largest, largest), *_confused(rows)[:2]):
        page.locator(f"#confusion [data-true='{true}'][data-said='{said}']").click()
        expected = np.flatnonzero((rows.y_true == true) & (rows.y_pred == said))
        assert page.locator("#cell-images .card").count() == min(len(expected), 60)
        while page.locator("#cell-more").is_visible():
            page.locator("#cell-more").click()
        cards = page.locator("#cell-images .card")
        shown = cards.evaluate_all("(cards) => cards.map((card) => Number(card.dataset.row))")
        assert sorted(shown) == expected.tolist()
        paths = page.locator("#cell-images .path").all_inner_texts()
        assert sorted(paths) == sorted(rows.paths[row] for row in expected)
        number = page.locator("#cell-title data")
        assert number.get_attribute("value") == str(len(expected))
        loaded = cards.locator("img").evaluate_all(
            "(all) => Promise.all(all.map((each) => each.decode().then(() => each.naturalWidth)))"
        )
        assert loaded == [48] * len(expected)
    page.locator("#cell-close").click()
    assert not page.locator("#cell").is_visible()


def _confused(rows):
    wrong = rows.y_true != rows.y_pred
    return sorted(set(zip(rows.y_true[wrong].tolist(), rows.y_pred[wrong].tolist(), strict=True)))


def test_a_cell_can_be_chosen_from_lists(open_page, content_of):
    page, content = open_page("120"), content_of("120")
    true, said = _confused(content.rows)[-1]
    page.locator("#pick-true").select_option(str(true))
    page.locator("#pick-said").select_option(str(said))
    page.locator("#pick-cell button").click()
    names = page.locator("#cell-title bdi").all_inner_texts()
    assert names == [content.report.class_names[k] for k in (true, said)]
    assert (
        page.locator("#cell-images .card").count() == (content.report.confusion_matrix[true][said])
    )


def test_rows_that_are_not_on_the_page_are_said_to_be_missing(browser, tmp_path, content_of):
    content = content_of("2")
    rows = content.rows
    half = replace(
        rows,
        paths=rows.paths[::2],
        y_true=rows.y_true[::2],
        y_pred=rows.y_pred[::2],
        scores=rows.scores[::2],
    )
    html = render_page(replace(content, rows=half, maps=(), least_certain=(), thumbnails={}))
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("#confusion td.right button").first.click()
    n_there = int(((half.y_true == 0) & (half.y_pred == 0)).sum())
    assert page.locator("#cell-hint").inner_text() == f"{n_there} of them are on this page."
    assert page.locator("#cell-images .none").count() == min(n_there, 60)
    page.close()


def test_the_matrix_shows_counts_or_shares(open_page, content_of):
    page, matrix = open_page("10"), np.array(content_of("10").report.confusion_matrix)
    cell = page.locator("#confusion td.right button").first
    assert cell.inner_text() == str(matrix[0, 0])
    page.locator("#show-shares").click()
    assert cell.inner_text() == format_value(matrix[0, 0] / matrix[0].sum(), "bare")
    page.locator("#show-counts").click()
    assert cell.inner_text() == str(matrix[0, 0])


def test_the_class_table_sorts_by_its_heads(open_page, content_of):
    page, per_class = open_page("10"), content_of("10").report.per_class
    heads = page.locator("#class-table thead th")

    def names():
        return page.locator("#class-table tbody th").all_inner_texts()

    def sort_by(k):
        heads.nth(k).locator("button").click()
        return heads.nth(k).get_attribute("aria-sort")

    by_recall = [each["name"] for each in sorted(per_class, key=lambda each: -each["recall"])]
    assert sort_by(1) == "descending"
    assert names() == by_recall
    assert sort_by(1) == "ascending"
    assert names() != by_recall
    recalls = page.locator("#class-table tbody td:nth-child(2) > data").evaluate_all(
        "(all) => all.map((each) => Number(each.value))"
    )
    assert recalls == sorted(recalls)
    assert sort_by(0) == "ascending"
    assert names() == sorted(names())
    assert heads.nth(1).get_attribute("aria-sort") == "none"


def test_a_long_table_is_filtered(open_page):
    page = open_page("120")
    page.locator("[data-filter=class-table]").fill("GREY cat")
    assert page.locator("#class-table tbody th:visible").all_inner_texts() == ["grey cat"]
    page.locator("[data-filter=class-table]").fill("")
    assert page.locator("#class-table tbody th:visible").count() == 120


def test_pointing_at_the_map_shows_the_image(open_page, content_of):
    page, content = open_page("2"), content_of("2")
    page.locator("#map-canvas").scroll_into_view_if_needed()
    (row, *_) = page.evaluate(COLUMN, ["map-wrong", "row"])
    page.mouse.move(*page.evaluate(POINT, ["map", "map-wrong", 0]))
    card = page.locator("#hover-card")
    card.wait_for()
    text, names = " ".join(card.text_content().split()), content.report.class_names
    assert content.rows.paths[row] in text
    assert f"said {names[content.rows.y_pred[row]]}" in text
    assert f"is {names[content.rows.y_true[row]]}" in text
    assert (
        card.locator("img").evaluate("(each) => each.decode().then(() => each.naturalWidth)") == 48
    )
    page.mouse.click(*page.evaluate(POINT, ["map", "map-wrong", 0]))
    picked = page.locator("#map-picked .card")
    picked.wait_for()
    assert picked.get_attribute("data-row") == str(row)
    page.mouse.move(5, 5)
    card.wait_for(state="hidden")


def test_the_map_zooms_and_goes_back(open_page):
    page = open_page("10")
    page.locator("#map-canvas").scroll_into_view_if_needed()
    home = page.evaluate(RANGES, "map")
    page.mouse.move(*page.evaluate(POINT, ["map", "map-right", 0]))
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"(() => {{ const f = {RANGES}; return f('map')[0] !== {home[0]} }})()")
    closer = page.evaluate(RANGES, "map")
    assert closer[1] - closer[0] < home[1] - home[0]
    page.get_by_role("button", name="Reset").last.click()
    assert page.evaluate(RANGES, "map") == home
    page.get_by_role("button", name="Zoom in on the map").click()
    low, high, *_ = page.evaluate(RANGES, "map")
    assert high - low == pytest.approx(0.6 * (home[1] - home[0]))


def test_classes_leave_the_map_and_come_back(open_page, content_of):
    page, rows = open_page("10"), content_of("10").rows

    def classes():
        return {
            int(rows.y_true[row])
            for source in ("map-right", "map-wrong")
            for row in page.evaluate(COLUMN, [source, "row"])
        }

    assert classes() == set(range(10))
    page.locator("#legend [data-class='3']").uncheck()
    assert classes() == set(range(10)) - {3}
    page.locator("#no-classes").click()
    assert classes() == set()
    page.locator("#legend [data-class='5']").check()
    assert classes() == {5}
    page.locator("#all-classes").click()
    assert classes() == set(range(10))
    page.locator("#only-mistakes").check()
    assert page.evaluate(COLUMN, ["map-right", "row"]) == []
    shown = page.evaluate(COLUMN, ["map-wrong", "row"])
    wrong = np.flatnonzero(rows.y_true != rows.y_pred)
    assert sorted(shown) == wrong[wrong % 2 == 0].tolist()  # the first map has every second row


def test_all_and_none_are_about_the_classes_that_the_filter_leaves(open_page):
    page = open_page("120")
    page.locator("#no-classes").click()
    page.locator("#filter-legend").fill("grey")
    page.locator("#all-classes").click()
    page.locator("#filter-legend").fill("")
    assert page.locator("#legend input:checked").count() == 20


def test_another_map_is_a_key_press_away(open_page, content_of):
    page, drawn = open_page("10"), content_of("10").maps[0]  # t-SNE comes first
    page.get_by_role("tab").first.focus()
    page.keyboard.press("ArrowRight")
    selected = page.locator("[role=tab][aria-selected=true]")
    assert selected.inner_text() == drawn.method
    assert page.evaluate("document.activeElement.id") == selected.get_attribute("id")
    assert page.locator("#map-note").inner_text() == drawn.note
    shown = [
        row for name in ("right", "wrong") for row in page.evaluate(COLUMN, [f"map-{name}", "row"])
    ]
    assert sorted(shown) == drawn.rows.tolist()


def test_the_large_matrix_answers_to_the_mouse(open_page, content_of):
    page, content = open_page("120"), content_of("120")
    page.locator("#matrix-canvas").scroll_into_view_if_needed()
    said, true = (page.evaluate(COLUMN, ["matrix-cells", axis])[-1] for axis in "xy")
    last = len(page.evaluate(COLUMN, ["matrix-cells", "x"])) - 1
    page.mouse.move(*page.evaluate(POINT, ["matrix", "matrix-cells", last]))
    page.locator("#hover-card").wait_for()
    count = content.report.confusion_matrix[true][said]
    assert page.locator("#hover-card data").get_attribute("value") == str(count)
    page.mouse.click(*page.evaluate(POINT, ["matrix", "matrix-cells", last]))
    page.locator("#cell").wait_for()
    rows = content.rows
    expected = np.flatnonzero((rows.y_true == true) & (rows.y_pred == said))
    cards = page.locator("#cell-images .card")
    shown = cards.evaluate_all("(cards) => cards.map((card) => Number(card.dataset.row))")
    assert sorted(shown) == expected.tolist()


def test_mistakes_show_their_reasons(open_page):
    page = open_page("10")
    photo, why = page.locator("#mistake-gallery .card").first.locator("img").all()
    assert photo.is_visible()
    assert not why.is_visible()
    page.locator("#mistake-gallery .reason").first.click()
    assert why.is_visible()
    assert not photo.is_visible()
    page.locator("#show-photos").click()
    assert photo.is_visible()
    page.locator("#show-reasons").click()
    assert page.locator("#mistake-gallery .why:visible").count() == 6


def test_the_theme_follows_the_system_and_then_the_button(open_page):
    ground = "getComputedStyle(document.body).backgroundColor"
    canvas = "[...Bokeh.index.roots][0].model.background_fill_color"
    page = open_page("2", color_scheme="dark")
    dark, dark_canvas = page.evaluate(ground), page.evaluate(canvas)
    page.locator("#theme").click()
    light, light_canvas = page.evaluate(ground), page.evaluate(canvas)
    assert _lightness(dark) < 60 < 200 < _lightness(light)
    assert _lightness(dark_canvas) < 60 < 200 < _lightness(light_canvas)
    page.locator("#theme").click()
    assert page.evaluate(ground) == dark


def _lightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("name", ["2", "10", "120", "hostile", *COMPARISONS])
def test_nothing_is_wider_than_the_screen(open_page, name, width):
    page = open_page(name, width=width)
    if name not in COMPARISONS:
        page.locator("#pick-cell button").click()
    for each in page.locator("summary").all():
        each.click()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert page.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        *(("10", "light", 1200), ("10", "dark", 1200), ("10", "light", 360)),
        *(("120", "dark", 1200), ("comparison", "light", 1200), ("comparison", "dark", 360)),
    ],
)
def test_axe_finds_nothing_serious(open_page, name, scheme, width):
    page = open_page(name, color_scheme=scheme, width=width)
    if name not in COMPARISONS:
        page.locator("#pick-true").select_option("1")
        page.locator("#pick-cell button").click()
    for each in page.locator("summary").all():
        each.click()
    found = axe.Axe().run(page, options=AXE).response["violations"]
    serious = [
        (each["id"], [node["html"][:150] for node in each["nodes"]][:3])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_keyboard_reaches_cells_and_tabs(open_page):
    page = open_page("10")
    reached = set()
    page.locator("#show-shares").focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(({ activeElement: at }) => at.getAttribute('role') ?? "
                "at.closest('#confusion, nav, .pairs-list, #class-table, #legend')?.className "
                "?? at.id)(document)"
            )
        )
    assert "tab" in reached
    page.locator("#confusion button[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    chosen = page.evaluate(
        "document.activeElement.dataset.true + document.activeElement.dataset.said"
    )
    assert chosen[0] == "0" != chosen[1]
    assert page.locator("#cell").is_visible()
    assert page.locator("#confusion button[tabindex='0']").count() == 1


def test_a_finger_scrolls_the_page_until_it_is_to_move_the_map(open_page):
    page = open_page("2", width=390, has_touch=True, is_mobile=True)
    layer = page.locator("#map-canvas .bk-events")
    page.wait_for_function(
        "document.querySelector('#map-plot [data-move]').getAttribute('aria-pressed') === 'false'"
    )
    page.wait_for_timeout(100)
    assert layer.evaluate("(each) => getComputedStyle(each).touchAction") == "pan-y"
    page.get_by_role("button", name="Move").click()
    assert layer.evaluate("(each) => getComputedStyle(each).touchAction") == "none"


def test_on_paper_everything_is_open(open_page):
    page = open_page("10")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator("button:visible:not(#confusion button, .sort)").count() == 0
    assert page.locator("#class-table .sort").first.is_visible()
    assert page.locator("#mistake-gallery .why:visible").count() == 6
    assert len(page.pdf()) > 100_000
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_paper_is_white_after_a_dark_screen(open_page):
    canvas = "[...Bokeh.index.roots][0].model.background_fill_color"
    page = open_page("2", color_scheme="dark")
    assert _lightness(page.evaluate(canvas)) < 60
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert _lightness(page.evaluate(canvas)) > 200
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert _lightness(page.evaluate(canvas)) < 60


def test_cards_write_scores_as_the_page_does(browser, tmp_path, content_of):
    content = content_of("2")
    scores = content.rows.scores.copy()
    wanted = (0.9999, 0.8935, 0.99996, 1.0)
    places = np.flatnonzero((content.rows.y_true == 0) & (content.rows.y_pred == 0))[:4]
    scores[places, 0] = wanted
    html = render_page(replace(content, rows=replace(content.rows, scores=scores)))
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("#confusion td.right button").first.click()
    while page.locator("#cell-more").is_visible():
        page.locator("#cell-more").click()
    for row, score in zip(places, wanted, strict=True):
        card = page.locator(f"#cell-images [data-row='{row}'] .figure").first
        assert card.inner_text() == format_value(score, "percent")
    page.close()


def test_ten_thousand_rows_stay_fluent(open_page):
    page = open_page("10000 rows")
    taken = page.evaluate("""async () => {
      const drawn = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
      const begun = performance.now();
      for (let k = 0; k < 5; k += 1) {
        document.querySelector('#map-plot [data-zoom="0.6"]').click();
        await drawn();
      }
      return (performance.now() - begun) / 5;
    }""")
    print(f"one zoom step of 10,000 points: {taken:.0f} ms")
    assert taken < 1_000
