"""Records are listed and searched without being built."""

from pathlib import Path

from tests.trainer.inspect.conftest import Look
from trainer.data.lengths import length_table
from trainer.data.measuring import Measured, Measuring
from trainer.data.records import Record
from trainer.inspect.answering import Answering
from trainer.inspect.browser import Browser
from trainer.inspect.kept import KeptProblems


def chat(question: str, answer: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": question}], "response": answer}


RECORDS = [
    chat("What is it?", "A red  circle.\nIndeed."),
    b"{broken",
    chat("Größe?", "Straße"),
    chat("word " * 3000, "long"),
    {"prompt": "1+1", "response": "2"},
]


def test_every_record_has_a_line_with_its_answer_or_its_problem(look: Look):
    rows = Browser(look(RECORDS)).rows("train", 0, 99)
    assert [row.record for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0].head == "A red circle. Indeed."
    assert rows[4].head == "2"
    assert [row.problem is not None for row in rows] == [False, True, False, True, False]
    assert "broken JSON" in (rows[1].problem or "")
    assert "data.max_length" in (rows[3].problem or "")


def test_the_problem_in_the_list_is_the_problem_of_the_record(look: Look):
    browser = Browser(look(RECORDS))
    for row in browser.rows("train", 0, 99):
        seen = browser.inspector.inspect("train", row.record - 1, 0)
        assert seen.problem == row.problem


def test_a_text_is_found_in_any_case_in_both_directions(look: Look):
    browser = Browser(look(RECORDS))
    assert browser.find("train", 0, 1, "STRASSE", 10).found == 3
    assert browser.find("train", 4, -1, "red", 10).found == 1
    lost = browser.find("train", 3, 1, "red", 10)
    assert (lost.found, lost.ended) == (None, True)


def test_the_next_problem_is_found_in_both_directions(look: Look):
    browser = Browser(look(RECORDS))
    assert browser.find("train", 0, 1, None, 10).found == 2
    assert browser.find("train", 2, 1, None, 10).found == 4
    assert browser.find("train", 2, -1, None, 10).found == 2
    assert browser.find("train", 4, 1, None, 10).ended


def test_a_search_pauses_and_goes_on_where_it_was(look: Look):
    browser = Browser(look(RECORDS))
    start, pauses = 0, 0
    while (found := browser.find("train", start, 1, "1+1", 0.0)).found is None:
        assert not found.ended
        start, pauses = found.looked_to, pauses + 1
    assert (found.found, pauses) == (5, 4)


def test_questions_are_answered_with_records_from_one(look: Look):
    answering = Answering.about(look(RECORDS))
    assert answering.opened()["splits"]["train"]["records"] == 5
    answer = answering.answer({"ask": "inspect", "split": "train", "record": 1, "epoch": 0})
    assert answer["record"] == 1
    assert answer["place"]["line"] == 1
    rows = answering.answer({"ask": "rows", "split": "train", "record": 2, "count": 2})["rows"]
    assert [row["record"] for row in rows] == [2, 3]


def test_what_a_check_has_kept_is_not_measured_again(look: Look, tmp_path: Path):
    inspector = look([*RECORDS, *([RECORDS[0]] * 1500)], f"data.cache_dir={tmp_path}")
    records = inspector.opened.split("train").records
    measuring = inspector.opened.encoder.measuring()
    kept = KeptProblems(records, measuring.identity)
    assert kept.has_problem(1) is None
    length_table(records, measuring, workers=0)
    kept = KeptProblems(records, measuring.identity)
    assert [kept.has_problem(number) for number in range(5)] == [False, True, False, True, False]
    assert kept.has_problem(1504) is False
    browser = Browser(inspector)
    assert browser.find("train", 0, 1, None, 10).found == 2
    measured = []
    vars(browser)["_measuring"] = Counting(measuring, measured)
    assert browser.find("train", 4, 1, None, 10).ended
    assert measured == []


class Counting:
    """Notes what is measured."""

    def __init__(self, measuring: Measuring, measured: list[Record]) -> None:
        self.identity = measuring.identity
        self._measuring, self._measured = measuring, measured

    def measure(self, record: Record) -> Measured:
        self._measured.append(record)
        return self._measuring.measure(record)
