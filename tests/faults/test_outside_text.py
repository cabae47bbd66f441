"""Fault 29: text from outside steers no terminal, whichever way it comes and goes."""

import json
import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenRun
from tests.qvl_tui.player import Player
from tests.training import Trained, Training
from trainer.cli.app import main
from trainer.cli.follow import Follower
from trainer.run.about import About, write_about
from trainer.run.events import Notice, RecordSkipped, SamplePrediction
from trainer.train.recorder import tell

# A window title, a clipboard, a screen cleared, C1 and other controls, a direction, and markup.
HOSTILE = (
    "\x1b]0;wolf\x07\x1b]52;c;d29sZg==\x1b\\\x1b[2J\x9b31m\x00\x7f\u202ewolf"
    "[bold red][/] [@click=quit]"
)
NAME = HOSTILE.replace("\0", "").replace("/", "|")  # as far as it can be a file's name
MARK = "wolf"
Command = Callable[..., tuple[int, str]]


def steering(text: str) -> set[str]:
    """Return what could steer a terminal."""
    kinds = {"Cc", "Cs", "Zl", "Zp"}
    return {it for it in text if unicodedata.category(it) in kinds or it == "\u202e"} - {"\n"}


@pytest.fixture
def hostile(tmp_path: Path, trainings: Training) -> Trained:
    """A real run, not yet begun, over data full of it in a file of that name."""
    folder = tmp_path / "data" / NAME
    folder.mkdir(parents=True)
    ask = {"role": "user", "content": f"Say {HOSTILE}"}
    records = [
        {"messages": [ask], "response": HOSTILE},
        {HOSTILE: HOSTILE, "messages": [{"role": HOSTILE, "content": ""}]},
        {"messages": [{"role": "user", "content": [{"type": HOSTILE}]}], "response": "yes"},
        {"messages": [ask], "response": f"<|im_end|>{HOSTILE}"},
        {"messages": [{"role": "user", "content": [{"image": f"{HOSTILE}.png"}]}], "response": "y"},
    ]
    path = folder / f"{NAME}.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return trainings(
        f"data.train={json.dumps([str(path)])}",
        f"data.validation={json.dumps([str(path)])}",
        "data.control_tokens=escape",
        "batch.accumulation=5",
        "training.max_steps=2",
        "evaluation.at_end=true",
        "generation.max_new_tokens=2",
        name="hostile",
    )


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Return what calls the program in this process: code, and all it wrote."""

    def call(runs: Path, *arguments: str) -> tuple[int, str]:
        monkeypatch.setenv("QVL_RUNS", str(runs))
        monkeypatch.setattr(sys, "argv", ["qvl", *arguments])
        monkeypatch.chdir(tmp_path)
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        told = capfd.readouterr()
        code = left.value.code
        return code if isinstance(code, int) else 0, told.out + told.err

    return call


def test_fault_29_text_of_a_real_run_reaches_no_terminal_but_as_text(
    hostile: Trained, capfd: pytest.CaptureFixture[str], command: Command
):
    layout = hostile.setup.run.layout
    write_about(layout, About(HOSTILE, HOSTILE))
    follower = Follower(layout, copy_events=False)
    assert hostile.go() == "finished"
    capfd.readouterr()
    tell(HOSTILE)
    layout.console.write_text(capfd.readouterr().err + f"no end {HOSTILE}")
    # What comes from the records is in the events as it was, for programs.
    assert any(HOSTILE in it.truth for it in hostile.of(SamplePrediction))
    assert sum(MARK in it.reason for it in hostile.of(RecordSkipped)) >= 3
    assert any(it.topic == "edit" for it in hostile.of(Notice))

    follower.follow(1)
    followed = capfd.readouterr().err
    assert followed.count(MARK) >= 4
    assert not steering(followed)

    folder, data = layout.root.parent, hostile.setup.config.data.train[0]
    model = str(hostile.setup.config.model.path)
    for arguments in (
        ("status", "hostile"),
        ("status", "hostile", "--json"),
        ("runs",),
        ("logs", "hostile"),
        ("note", "hostile"),
        ("data", "show", data, "1-5", "--model", model),
        ("data", "show", data, "1-5", "--model", model, "--json"),
        ("train", "balanced", f"data.train={json.dumps([data + HOSTILE])}", f"model.path={model}"),
        ("status", HOSTILE.replace("\0", "")),
    ):
        _code, told = command(folder, *arguments)
        assert MARK in told, arguments
        assert not steering(told), arguments


def test_fault_29_text_of_a_real_run_is_text_on_its_screen(hostile: Trained):
    layout = hostile.setup.run.layout
    write_about(layout, About(HOSTILE, HOSTILE))
    layout.console.write_text(f"{HOSTILE}\n")
    assert hostile.go() == "finished"
    told: set[str] = set()
    with Player(Desk(layout.root.parent), size=(160, 48)) as player:
        player.post(OpenRun(layout))
        player.wait(3)
        for pane in "12345678":
            player.press(pane)
            player.wait(2)
            player.look()
            told |= {pane} if MARK in player.picture() else set()
        player.press("q")
        player.wait(2)
        player.look()
    assert len(told) == 8  # the name, at least


def test_fault_29_a_run_whose_name_is_no_text_is_listed(tmp_path: Path, command: Command):
    folder = os.fsencode(tmp_path) + b"/runs/wolf\xff\x1b[31m"
    os.makedirs(folder)  # noqa: PTH103 - a Path would do, and hide that these are bytes
    (Path(os.fsdecode(folder)) / "config.yaml").write_text("extends: balanced\n")
    for arguments in (("runs",), ("runs", "--json"), ("status", "--json")):
        code, told = command(tmp_path / "runs", *arguments)
        assert code == 0, told
        assert MARK in told
        assert not steering(told)
