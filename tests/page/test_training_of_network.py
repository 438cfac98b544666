from dataclasses import replace

from pipeline.page import render_page
from pipeline.plots import draw_training, to_inline_svg
from pipeline.records import StaticFigure
from tests.made_tunings import make_tuned
from tests.page.made_pages import make_page

HEADING = "Training of the network"


def test_the_training_of_a_tuned_network_is_drawn():
    content = make_page()
    svg = to_inline_svg(draw_training(make_tuned().history, best_epoch=2), name="finetuning")
    drawn = StaticFigure(svg=svg, alt="Loss & accuracy by epoch.")
    html = render_page(replace(content, figures={**content.figures, "finetuning": drawn}))
    assert f"<h3>{HEADING}</h3>" in html
    assert "Loss &amp; accuracy by epoch." in html
    assert HEADING not in render_page(content)
