import numpy as np
import pytest
from rich.cells import cell_len

from qvl_tui.charts.data import ChartData, Curve, View
from qvl_tui.charts.roles import Role
from qvl_tui.charts.title import title_of
from tests.qvl_tui.charts.curves import chart, line


def title(data: ChartData, width: int, view: View | None = None, left_out: int = 0) -> str:
    spans = title_of(data, view or View(), left_out=left_out, width=width, selected=False)
    return "".join(span.text for span in spans)


FALLING = np.linspace(2, 0.4, 100)


def test_one_curve_shows_its_last_value_and_where_it_goes():
    assert title(chart(line(*FALLING)), 40).strip() == "loss  0.400 ↓"
    assert title(chart(line(*FALLING[::-1])), 40).strip() == "loss  2.00 ↑"
    assert title(chart(line(*np.ones(9))), 40).strip() == "loss  1.00 →"


def test_several_curves_are_told_apart_by_markers_and_a_ghost_is_not_named():
    data = chart(
        line(*FALLING + 0.1, style="ghost"),
        line(*FALLING),
        line(1, 0.5, label="validation", style="points", slot=1),
    )
    assert title(data, 60).strip() == "loss  ● train 0.400 ↓  ■ validation 0.500"


def test_names_go_first_when_there_is_no_room_then_arrows_then_curves():
    data = chart(line(*FALLING), line(*FALLING / 2, label="validation", slot=1))
    texts = [title(data, width) for width in range(60, 4, -1)]
    assert all(cell_len(text) == width for text, width in zip(texts, range(60, 4, -1), strict=True))
    seen = list(dict.fromkeys(text.strip() for text in texts))
    assert seen[:5] == [
        "loss  ● train 0.400 ↓  ■ validation 0.200 ↓",
        "loss  ● 0.400 ↓  ■ 0.200 ↓",
        "loss ● 0.400 ■ 0.200",
        "loss ● 0.400 +1",
        "loss",
    ]


def test_at_the_cursor_the_nearest_known_value_is_read():
    data = chart(line(*FALLING), Curve("validation", np.array([50.0]), np.array([1.5]), slot=1))
    assert title(data, 60, View(cursor=1.0)).strip() == (
        "loss @ 1  ● train 2.00  ■ validation 1.50"
    )
    assert title(chart(line(1, np.nan, np.nan, 4)), 40, View(cursor=3.0)).strip() == (
        "loss @ 3  4.00"
    )


def test_an_unknown_value_is_a_dash():
    assert title(chart(line(np.nan)), 20).strip() == "loss  –"


def test_what_a_logarithmic_axis_leaves_out_is_said():
    text = title(chart(line(*FALLING)), 60, View(log_y=True), left_out=1_200)
    assert "log, 1,200 ≤ 0 left out" in text


def test_the_chosen_chart_shows_without_colour():
    spans = title_of(chart(line(1)), View(), left_out=0, width=20, selected=True)
    assert spans[0].text == "▌"
    assert spans[1].role == Role.CHOSEN_TITLE


@pytest.mark.parametrize(
    "name", ["[/red]", "日本語の損失", "\x1b[31mred", "a\u202eb", "e\u0301" * 9]
)
def test_names_from_outside_never_break_the_width(name: str):
    data = ChartData("k", name, name, (line(1, 2, label=name), line(1, 3, label=name, slot=1)))
    for width in (0, 1, 7, 20, 80):
        text = title(data, width)
        assert cell_len(text) == width
        assert "\x1b" not in text
        assert "\u202e" not in text
