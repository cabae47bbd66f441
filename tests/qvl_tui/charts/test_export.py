import csv
import io
import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given, settings

from qvl_tui.charts.csv import chart_csv
from qvl_tui.charts.data import ChartData, Curve, Mark, View
from qvl_tui.charts.svg import chart_svg
from tests.qvl_tui.charts.curves import any_chart, any_view, chart, line

SVG = "{http://www.w3.org/2000/svg}"


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_row_for_each_x_that_is_seen_and_a_column_for_each_curve():
    data = chart(
        line(2.0, 1.5, np.nan, 0.25, style="ghost"),
        line(2.0, 1.75, 1.75, 1.0),
        Curve("validation", np.array([2.5, 4.0]), np.array([0.5, 1e-7])),
    )
    assert rows_of(chart_csv(data, View(x_min=2))) == [
        ["step", "train (raw)", "train", "validation"],
        ["2", "1.5", "1.75", ""],
        ["2.5", "", "", "0.5"],
        ["3", "", "1.75", ""],
        ["4", "0.25", "1", "1e-07"],
    ]


def test_lines_end_as_the_standard_says_and_names_are_quoted():
    text = chart_csv(chart(line(1, label='a "b", c'), line(2, label='a "b", c', slot=1)), View())
    assert text.count("\r\n") == 2
    assert rows_of(text)[0] == ["step", 'a "b", c', 'a "b", c\'']


def test_values_come_back_to_the_last_bit():
    values = np.random.default_rng(0).normal(0, 1, 50)
    rows = rows_of(chart_csv(chart(line(*values)), View()))
    assert [float(row[1]) for row in rows[1:]] == values.tolist()


def test_an_empty_chart_is_a_header():
    assert rows_of(chart_csv(chart(), View())) == [["step"]]


@settings(max_examples=40, deadline=None)
@given(any_chart(), any_view())
def test_any_chart_can_be_exported(data: ChartData, view: View):
    root = ET.fromstring(chart_svg(data, view, 300, 200, dark=True))
    numbers = " ".join(it.get("points", "") for it in root.iter(f"{SVG}polyline"))
    assert "nan" not in numbers
    assert "inf" not in numbers
    rows = rows_of(chart_csv(data, view))
    assert {len(row) for row in rows} == {len(data.curves) + 1}


def test_a_picture_has_curves_axes_a_legend_and_marks():
    data = chart(
        line(*range(200), style="ghost"),
        line(*range(200)),
        line(1, 2, 3, label="<validation> & more", slot=1, style="points"),
        marks=(Mark(50, "checkpoint", "step <50>"),),
    )
    root = ET.fromstring(chart_svg(data, View(), 800, 400))
    texts = [it.text for it in root.iter(f"{SVG}text")]
    assert {"loss", "train", "<validation> & more", "step", "▼"} <= set(texts)
    assert len(list(root.iter(f"{SVG}polyline"))) == 2
    assert [it.text for it in root.iter(f"{SVG}title")] == ["step <50>"]
    assert root.get("width") == "800"


def test_a_picture_of_a_long_run_stays_small_and_keeps_the_spike():
    y = np.ones(100_000)
    y[54_321] = 50.0
    text = chart_svg(chart(Curve("train", np.arange(1e5), y)), View(), 800, 400)
    assert len(text) < 60_000
    root = ET.fromstring(text)
    line_ = next(root.iter(f"{SVG}polyline")).get("points", "")
    heights = [float(point.split(",")[1]) for point in line_.split()]
    assert min(heights) < 70


def test_gaps_break_the_line_of_a_picture():
    text = chart_svg(chart(line(1, 2, np.nan, 2, 1)), View())
    assert text.count("<polyline") == 2
