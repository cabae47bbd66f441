"""The page for a browser: whole in itself, well-formed, and deaf to what data says."""

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.trainer.inspect.conftest import Look
from trainer.inspect.inspector import Inspector
from trainer.inspect.page import write_page

VOID = {"meta", "img", "br"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}
HOSTILE = (
    '<script>alert(1)</script><img src="http://evil.example/x" onerror=alert(2)> \x1b[31m\u202e'
)


class Reader(HTMLParser):
    """Notes every element, and fails where one is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[tuple[str, str]] = []  # element and text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append((self.open[-1] if self.open else "", data))


def page_of(inspector: Inspector, title: str, records: int) -> str:
    file = io.BytesIO()
    write_page((inspector.inspect("train", it, 0) for it in range(records)), title, file)
    return file.getvalue().decode()


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def hostile(look: Look) -> str:
    messages = [{"role": "user", "content": HOSTILE}]
    image = {"type": "image", "image": HOSTILE}
    gone = [{"role": "user", "content": [image, {"type": "text", "text": "?"}]}]
    records = [{"messages": messages, "response": HOSTILE}, {"messages": gone, "response": "x"}]
    return page_of(look(records), HOSTILE, 2)


@pytest.fixture(scope="module")
def dense(look: Look, dense_file: Path) -> str:
    return page_of(look(dense_file, "data.dense.images_per_user_turn=2"), "dense", 6)


def test_the_page_is_well_formed_and_has_every_record(dense: str, hostile: str):
    read(hostile)
    elements = read(dense).elements
    names = [it["id"] for tag, it in elements if tag == "article"]
    assert names == [f"train-{number}" for number in range(1, 7)]
    assert sum(tag == "img" for tag, _ in elements) > 6
    shapes = [tag for tag, _ in elements if tag in ("polygon", "polyline")]
    assert "polygon" in shapes
    assert "polyline" in shapes


def test_the_page_loads_nothing_from_anywhere(dense: str, hostile: str):
    for page in (dense, hostile):
        for tag, attributes in read(page).elements:
            assert tag not in ("link", "iframe", "object", "embed", "base", "form")
            assert not any(key.startswith("on") or key == "style" for key in attributes)
            for key in LOADING & attributes.keys():
                assert attributes[key].startswith("data:image/"), (tag, key)
        style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
        assert style is not None
        assert "url(" not in style[1]
        assert "@import" not in style[1]


def test_its_own_policy_allows_its_style_and_script_and_nothing_else(hostile: str):
    reader = read(hostile)
    (policy,) = [
        it["content"] for tag, it in reader.elements if tag == "meta" and "http-equiv" in it
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for element, rule in (("style", "style-src"), ("script", "script-src")):
        texts = [text for tag, text in reader.words if tag == element]
        digest = base64.b64encode(hashlib.sha256("".join(texts).encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_hostile_text_is_shown_as_text(hostile: str):
    reader = read(hostile)
    assert sum(tag == "script" for tag, _ in reader.elements) == 1
    assert not any("evil" in value for _, it in reader.elements for value in it.values())
    shown = "".join(text for tag, text in reader.words if tag not in ("style", "script"))
    assert shown.count("<script>alert(1)</script>") >= 3  # title, question, answer
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile
    assert shown.count("␛[31m") >= 5  # title, question, answer, image and its problem


def surrogates() -> Iterator[str]:
    yield "\ud800"


def test_a_name_that_is_no_unicode_does_not_break_the_page(look: Look):
    page = page_of(look([{"prompt": "a", "response": "b"}]), next(surrogates()), 1)
    assert "\\ud800" in page
