"""Known data sets are listed with the command that fetches each."""

import json
import shlex
from typing import Any

import pytest

from tests.trainer.cli.conftest import Qvl
from trainer.cli.data.options import named_columns
from trainer.config.reading import ColumnsConfig
from trainer.data.catalogue import KNOWN_SETS
from trainer.data.errors import RecordError, Source
from trainer.data.formats.recognise import RecordFormat, common_format
from trainer.data.records import PromptRecord

# Records as these data sets publish them.
RECORDS: dict[str, dict[str, Any]] = {
    "alpaca": {"instruction": "Add.", "input": "1 1", "output": "2", "text": "Below is ..."},
    "dolly": {"instruction": "Add.", "context": "", "response": "2", "category": "open_qa"},
    "gsm8k": {"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"},
    "openmath": {
        "problem": "1 + 1?",
        "generated_solution": "It is 2.",
        "expected_answer": "2",
        "problem_source": "math",
    },
    "orca-math": {"question": "1 + 1?", "answer": "It is 2."},
    "code-alpaca": {"instruction": "Print 2.", "input": "", "output": "print(2)"},
    "squad-v2": {
        "id": "5",
        "title": "Sums",
        "context": "1 + 1 is 2.",
        "question": "What is 1 + 1?",
        "answers": {"text": ["2"], "answer_start": [9]},
    },
}


@pytest.mark.parametrize("known", KNOWN_SETS, ids=lambda it: it.name)
def test_records_of_a_known_set_are_read(known: Any):
    record = RECORDS[known.name]
    assert common_format([record], known.columns) == "instruction"
    read = RecordFormat("instruction", known.columns).read(record, Source("d", 1, 0))
    assert isinstance(read, PromptRecord)
    assert "1" in read.prompt or "Print" in read.prompt or "Add" in read.prompt
    assert "2" in read.response


def test_a_question_without_an_answer_is_left_out():
    (squad,) = [it for it in KNOWN_SETS if it.name == "squad-v2"]
    unanswered = {**RECORDS["squad-v2"], "answers": {"text": [], "answer_start": []}}
    with pytest.raises(RecordError, match="no answer"):
        RecordFormat("instruction", squad.columns).read(unanswered, Source("d", 1, 0))


def test_the_commands_can_be_typed_and_keep_their_columns(qvl: Qvl):
    told = json.loads(qvl("data", "sets", "--json").stdout)
    assert [it["name"] for it in told] == [it.name for it in KNOWN_SETS]
    text = qvl("data", "sets").stdout
    for known, it in zip(KNOWN_SETS, told, strict=True):
        assert shlex.join(it["command"]) in text
        command = it["command"]
        if "--columns" in command:
            columns = named_columns(command[command.index("--columns") + 1])
            assert columns == known.columns
        else:
            assert known.columns == ColumnsConfig()
