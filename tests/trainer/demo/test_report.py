"""Answers read leniently and counted exactly."""

import pytest

from trainer.demo.report import read_answer, score_answers

TRUTH = '{"color":"red","shape":"circle","bbox_2d":[100,200,700,800]}'


@pytest.mark.parametrize(
    "text",
    [
        TRUTH,
        f"```json\n{TRUTH}\n```",
        f"It is {{red}}: {TRUTH} I think.",
        TRUTH + TRUTH,
    ],
)
def test_an_answer_is_read_from_whatever_surrounds_it(text: str):
    answer = read_answer(text)
    assert answer == {"color": "red", "shape": "circle", "bbox_2d": [100, 200, 700, 800]}


@pytest.mark.parametrize("text", ["", "red circle", "[1,2]", '{"color":"red"', "{" * 50])
def test_text_without_a_json_object_gives_none(text: str):
    assert read_answer(text) is None


def test_colour_and_shape_count_only_together_and_the_box_apart():
    said = [
        TRUTH,
        '{"color":"red","shape":"square","bbox_2d":[100,200,700,800]}',
        '{"color":"red","shape":"circle","bbox_2d":[100,200,700,900]}',
        "no idea",
    ]
    score = score_answers((text, TRUTH) for text in said)
    assert (score.color_and_shape, score.box, score.total) == (2, 2, 4)
    assert (score.color_and_shape_share, score.box_share) == (0.5, 0.5)


def test_no_answers_have_a_share_of_zero():
    assert score_answers([]).color_and_shape_share == 0.0


def test_a_truth_without_json_is_refused():
    with pytest.raises(ValueError, match="holds no JSON object"):
        score_answers([(TRUTH, "red")])
