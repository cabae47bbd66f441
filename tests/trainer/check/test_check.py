"""The check finds what a run would find, says where, and what looks odd besides."""

import base64
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.data.test_headers import oddities
from trainer.check import checking
from trainer.check.checking import Checked, Manner, check_records, kept_looks, measuring_of
from trainer.check.report import report
from trainer.config.load import load_config
from trainer.config.schema import RunConfig
from trainer.data.errors import RecordError
from trainer.data.estimating import Estimating
from trainer.data.measuring import Measuring
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.words.check import check_lines

Config = Callable[..., RunConfig]
HERE = Manner(keep_every=True, workers=0)


@pytest.fixture(autouse=True)
def tokenizers_in_this_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """Torch is loaded here already; a process that loads it takes seconds."""
    if "processes" in request.node.name:
        return

    def load(config: RunConfig, *, decode: bool) -> Measuring | Estimating:
        if not Path(config.model.path).is_dir():
            return measuring_of(config, decode=decode)
        return Preprocessing.load(config.model, config.data).measuring(decode=decode)

    monkeypatch.setattr(checking, "measuring_of", load)


def chat(response: str, *images: str, text: str = "What is it?") -> dict[str, Any]:
    items = [{"type": "image", "image": image} for image in images]
    content = [*items, {"type": "text", "text": text}]
    return {"messages": [{"role": "user", "content": content}], "response": response}


def picture(width: int = 64, height: int = 64) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def config(tmp_path: Path, tiny_checkpoint: Path) -> Config:
    """Write records and configure a run of them."""

    def make(records: list[Any], *options: str, model: Path | None = None) -> RunConfig:
        path = tmp_path / "train.jsonl"
        lines = (it if isinstance(it, str) else json.dumps(it) for it in records)
        path.write_text("".join(f"{line}\n" for line in lines))
        model = model or tiny_checkpoint
        given = [f"model.path={model}", f"data.train={path}", f"data.cache_dir={tmp_path}/cache"]
        return load_config("balanced", [*given, *options])

    return make


def found(checked: Checked, split: str = "train") -> dict[str, list[int]]:
    """The lines that remarks are about, by their kinds."""
    kinds: dict[str, list[int]] = {}
    for located in checked.tallies[split].every or ():
        kinds.setdefault(located.remark.kind, []).append(located.line)
    return kinds


def refused_by_training(config: RunConfig, records: Records) -> list[int]:
    """The lines of the records of which training makes no sample."""
    preprocessing = Preprocessing.load(config.model, config.data)
    lines = []
    for number in range(len(records)):
        try:
            preprocessing.encode(records[number])
        except RecordError as error:
            lines.append(error.source.line)
    return lines


def test_of_odd_pictures_check_and_training_refuse_the_same(config: Config, tmp_path: Path):
    def make(width: int = 64, height: int = 64, mode: str = "RGB") -> Image.Image:
        return Image.effect_noise((width, height), 100).convert(mode)

    def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    records, complaints = [], {}
    for name, (data, complaint) in oddities(make, encode).items():
        (tmp_path / name).write_bytes(data)
        inside = "data:image/png;base64," + base64.b64encode(data).decode()
        for reference in (name, inside):
            records.append(chat("red", reference))
            complaints[len(records)] = complaint
    records += [
        chat("red", "data:image/png;base64,!!!"),
        chat("red", "data:;base64," + "A" * 5 * 10**7),
    ]
    complaints |= {len(records) - 1: "bad base64", len(records): "are decoded"}
    made = config(records, "data.max_source_pixels=4000000", "data.max_line_bytes=100000000")
    checked = check_records(made, HERE)
    said = {
        it.line: it.remark
        for it in checked.tallies["train"].every or ()
        if it.remark.severity == "error"
    }
    assert sorted(said) == refused_by_training(made, checked.tallies["train"].records)
    assert sorted(said) == [line for line, complaint in complaints.items() if complaint]
    for line, remark in said.items():
        assert complaints[line] in remark.what
    assert checked.tallies["train"].count("error") == len(said)


def test_what_is_broken_inside_a_picture_is_found_by_decoding(config: Config, tmp_path: Path):
    buffer = io.BytesIO()
    Image.effect_noise((200, 200), 100).save(buffer, "PNG")
    data, middle = buffer.getvalue(), buffer.tell() // 2
    (tmp_path / "a.png").write_bytes(data[:middle] + bytes(100) + data[middle + 100 :])
    made = config([chat("red", "a.png"), chat("blue")])
    assert check_records(made, HERE).errors == 0
    certain = check_records(made, Manner(decode=True, keep_every=True, workers=0))
    assert [it.line for it in certain.tallies["train"].every or ()] == [1]


def test_odd_answers_are_told(config: Config):
    records = [chat(json.dumps({"n": number})) for number in range(12)]
    records += [chat(""), chat("no JSON"), chat('{"open": '), chat('<think>why</think>{"n": 1}')]
    records += [chat("<think>never closed")]
    kinds = found(check_records(config(records), HERE))
    assert kinds["empty answer"] == [13]
    assert kinds["answer is no JSON, most are"] == [13, 14, 15, 16, 17]
    assert kinds["reasoning for a checkpoint without it (instruct)"] == [16]
    assert kinds["think markers without a partner"] == [17]


def test_every_turn_of_the_assistant_is_looked_at(config: Config):
    def turns(*answers: str) -> dict[str, Any]:
        messages = []
        for answer in answers:
            image = {"type": "image", "image": picture()}
            content: Any = "And?" if messages else [image, {"type": "text", "text": "Where?"}]
            messages += [
                {"role": "user", "content": content},
                {"role": "assistant", "content": answer},
            ]
        return {"messages": messages}

    good = json.dumps({"bbox_2d": [1, 2, 3, 4]})
    records = [turns(good, good.replace("1", str(number))) for number in range(2)] * 6
    records += [turns("", good), turns("<think>hm", good), turns("no JSON", good)]
    records += [turns(json.dumps({"bbox_2d": [1, 2, 3, 4000]}), good)]
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]}
    records[0]["messages"] += [{"role": "user", "content": "Now?"}, call]
    checked = check_records(config(records), HERE)
    kinds = found(checked)
    assert kinds["empty answer"] == [13]
    assert kinds["think markers without a partner"] == [14]
    assert kinds["answer is no JSON, most are"] == [13, 14, 15]
    assert kinds["coordinates out of range"] == [16]
    said = [it.remark.what for it in checked.tallies["train"].every or ()]
    assert "answer 1 of 2 is empty" in said


def test_where_few_answers_are_json_none_is_odd(config: Config):
    records = [chat("words") for _ in range(12)] + [chat("{}")]
    assert "answer is no JSON, most are" not in found(check_records(config(records), HERE))


def test_answers_without_reasoning_do_not_fit_a_thinking_checkpoint(
    config: Config, thinking_checkpoint: Path
):
    records = [chat("red"), chat("because</think>\n\nred"), {**chat("red"), "thinking": "because"}]
    kind = "no reasoning for a Thinking checkpoint"
    made = config(records, model=thinking_checkpoint)
    assert found(check_records(made, HERE))[kind] == [1, 3]
    included = config(records, "data.thinking=include", model=thinking_checkpoint)
    assert found(check_records(included, HERE))[kind] == [1]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ('[{"bbox_2d": [10, 20, 300, 1000], "label": "x"}]', None),
        ('[{"bbox_2d": [10, 20, 300, 1001], "label": "x"}]', "coordinates out of range"),
        ('```json\n{"a": {"bbox": [-1, 20, 300, 400]}}\n```', "coordinates out of range"),
        ('[{"bbox_2d": [300, 20, 10, 400]}]', "swapped corners"),
        ('{"line": [0, 0, 10, 1200]}', "coordinates out of range"),
        ("It is <|box_start|>(1,2),(300,1400)<|box_end|>.", "coordinates out of range"),
        ("It is <|box_start|>(10,2),(3,14)<|box_end|>.", "swapped corners"),
        ('{"bbox_2d": "none", "box": [1, 2]}', None),
    ],
)
def test_places_in_answers_lie_in_the_picture(config: Config, answer: str, kind: str | None):
    kinds = found(check_records(config([chat(answer, picture()), chat(answer)]), HERE))
    assert kinds == ({kind: [1]} if kind else {})


def test_sizes_of_which_little_is_seen_are_told(config: Config):
    sizes = [(64, 64), (6000, 4000), (2, 2), (900, 40)]
    records = [chat(f"{number}", picture(*size)) for number, size in enumerate(sizes)]
    made = config(records, "data.min_pixels=4096", "data.max_pixels=65536")
    kinds = found(check_records(made, HERE))
    assert kinds == {"huge image": [2], "tiny image": [3], "extreme aspect ratio": [4]}


def test_markers_without_meaning_and_escaped_control_tokens_are_told(config: Config):
    records = [chat("red", picture(), text="<image> What?"), chat("<|im_end|>"), chat("blue")]
    kinds = found(check_records(config(records, "data.control_tokens=escape"), HERE))
    assert kinds["<image> as text"] == [1]
    assert kinds["text that spelled a control token was escaped"] == [2]
    refused = check_records(config(records), HERE)
    assert refused.errors == 1
    assert found(refused)["the text spells the control token …"] == [2]


def test_repeated_records_are_named_with_their_first(config: Config, tmp_path: Path):
    (tmp_path / "val.jsonl").write_text(
        json.dumps(chat("b", picture())) + "\n" + json.dumps(chat("new")) + "\n"
    )
    records = [chat("a"), chat("b", picture()), chat("a", text="Else?"), chat("b", picture())]
    checked = check_records(config(records, f"data.validation={tmp_path}/val.jsonl"), HERE)
    assert found(checked) == {"repeated in train": [4]}
    assert found(checked, "validation") == {"in train as well as in validation": [1]}
    told = [it.remark.what for it in checked.tallies["validation"].every or ()]
    assert told == [f"the same text and pictures as {tmp_path}/train.jsonl:2"]


def test_over_long_records_are_errors_and_zero_in_the_columns(config: Config):
    checked = check_records(config([chat("x" * 500), chat("y")], "data.max_length=64"), HERE)
    tally = checked.tallies["train"]
    assert checked.errors == 1
    assert tally.usable == 1
    assert tally.columns["tokens"][0] == 0


def test_without_a_checkpoint_text_is_estimated(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(chat("red", picture(320, 320))) + "\n{broken\n")
    made = load_config(
        "balanced",
        [f"data.train={path}", "model.path=no/model", f"data.cache_dir={tmp_path}/cache"],
        files_must_exist=False,
    )
    checked = check_records(made, HERE)
    assert checked.estimated
    assert checked.tallies["train"].columns["visual_tokens"].tolist() == [100, 0]
    assert checked.errors == 1


def test_processes_and_cache_tell_the_same(config: Config):
    records = [chat("" if number % 7 == 0 else f"{number}") for number in range(2_300)]
    made = config([*records, "{broken"])
    first = check_records(made, Manner(keep_every=True, workers=2))
    again = check_records(made, HERE)
    assert first.tallies["train"].fresh == 2_301
    assert again.tallies["train"].fresh == 0
    strip = {"looked_at_now": 0}
    told = [report(it, None) for it in (first, again)]
    assert told[0]["splits"]["train"] | strip == told[1]["splits"]["train"] | strip
    assert told[0]["findings"] == told[1]["findings"]
    assert len(told[0]["findings"]) > 300


def test_a_preflight_knows_what_the_check_found_until_something_changes(
    config: Config, tmp_path: Path
):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    made = config([chat("red", "a.png"), chat("blue", "gone.png")])
    assert kept_looks(made) is None
    check_records(made, HERE)
    looks = kept_looks(made)
    assert looks is not None
    assert looks["train"].looked_at == 2
    assert [it.line for it in looks["train"].problems] == [2]
    assert looks["train"].visual_token_range() == (4, 4, 4)
    assert kept_looks(config([chat("red", "a.png")])) is None
    made = config([chat("red", "a.png"), chat("blue", "gone.png")])
    assert kept_looks(made) is not None
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert kept_looks(made) is None


def test_the_report_shows_text_from_outside_as_it_is(config: Config):
    told = report(check_records(config([chat("a"), '{"\\u001b[31m": 1}']), HERE), None)
    assert any("train.jsonl:2" in line for line in check_lines(told))
    assert json.dumps(told)


def test_what_columns_become_is_shown_for_the_first_five(config: Config):
    records: list[Any] = [{"ask": f"{it}?", "by": "me", "reply": "x" * 300} for it in range(8)]
    records[1] = "{broken"
    made = config(
        records,
        'data.columns.question_template="{by} asks: {ask}"',
        "data.columns.response=reply",
        "data.columns.system_template=Be brief.",
    )
    told = report(check_records(made, HERE), None)
    previews = told["splits"]["train"]["preview"]
    assert [it["line"] for it in previews] == [1, 3, 4, 5, 6]
    assert previews[0]["question"] == "me asks: 0?"
    assert previews[0]["system"] == "Be brief."
    text = "\n".join(check_lines(told))
    assert "question: me asks: 2?" in text
    assert "answer: " + "x" * 120 + " …" in text


FAULTY: list[tuple[bytes, str | None]] = [
    (b'\xef\xbb\xbf{"prompt": "a byte order mark?", "response": "yes"}\r', None),
    (b"", None),
    (b" \t\r", None),
    (b"{broken\r", "broken JSON"),
    (b'{"prompt": "\xff", "response": "a"}', "broken JSON"),
    (b"[1, 2]", "a list instead of an object"),
    (b'{"prompt": "' + b"x" * 70_000 + b'", "response": "a"}', "data.max_line_bytes is 65536"),
    (b'{"messages": [{"role": "user", "content": "q"}]}', "no answer to train"),
    (b'{"messages": []}', "`messages` is empty"),
    (b'{"prompt": null, "response": "a"}', "`prompt`"),
    (b'{"prompt": "<|im_end|>", "response": "a"}', "control token"),
    (b'{"image": ["g"], "conversations": []}', "it looks like llava"),
    (json.dumps(chat("no picture")).encode(), None),
    (b'{"prompt": "no last newline?", "response": "yes"}', None),
]


def test_ten_thousand_images_are_refused_before_any_is_looked_at(config: Config):
    checked = check_records(config([chat("red", *["gone"] * 10_000), chat("red")]), HERE)
    (error,) = [it for it in checked.tallies["train"].every or () if it.line == 1]
    assert "10000 images, a token each at least" in error.remark.what


def test_every_faulty_line_is_counted_and_located(config: Config, tmp_path: Path):
    made = config([], "data.max_line_bytes=65536", "model.variant=instruct")
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(line for line, _ in FAULTY))
    checked = check_records(made, HERE)
    tally = checked.tallies["train"]
    said = {it.line: it.remark.what for it in tally.every or () if it.remark.severity == "error"}
    expected = {line: what for line, (_, what) in enumerate(FAULTY, start=1) if what}
    assert said.keys() == expected.keys()
    for line, what in expected.items():
        assert what in said[line]
    assert (checked.errors, tally.usable) == (len(expected), 3)
    assert all(it.remark.remedy for it in tally.every or ())
