"""Write inspected records as one web page that needs nothing but itself."""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from typing import BinaryIO, get_args

from trainer.inspect.inspection import (
    Inspection,
    ShownImage,
    ShownObject,
    ShownPicture,
    TokenKind,
    TokenRun,
)
from trainer.inspect.words import (
    MEANINGS,
    augmentation_words,
    bytes_words,
    counts_words,
    heading,
    image_words,
    object_words,
    remarks,
    run_words,
    verdict,
    visible,
)

COLOURS = 8
SMALL_PIXELS = 256  # smaller pictures are enlarged pixel by pixel


def write_page(inspections: Iterable[Inspection], title: str, file: BinaryIO) -> None:
    """Write a page to an open file, record by record.

    Nothing is loaded from anywhere: pictures, style and script lie inside, and the page's own
    policy forbids everything else. All that comes from data is escaped.
    """
    for part in _page(inspections, title):
        file.write(part.encode("utf-8", "backslashreplace"))


def _page(inspections: Iterable[Inspection], title: str) -> Iterator[str]:
    style, script = _resource("page.css"), _resource("page.js")
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {_digest(style)}; script-src {_digest(script)}"
    )
    yield (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{_text(title)}</title>\n<style>{style}</style></head><body>\n{_header(title)}"
        "<main>\n"
    )
    for seen in inspections:
        yield _article(seen)
    yield f"</main><script>{script}</script></body></html>\n"


def _resource(name: str) -> str:
    return (files("trainer.inspect") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _text(text: str) -> str:
    return escape(visible(text))


def _header(title: str) -> str:
    kinds: tuple[TokenKind, ...] = get_args(TokenKind)
    legend = "".join(
        f'<span><span class="{kind}">{kind}</span> {escape(MEANINGS[kind])}</span>'
        for kind in kinds
    )
    return (
        f"<header><h1>{_text(title)}</h1>"
        '<nav><button id="before" type="button">‹ before</button><span id="position"></span>'
        '<button id="after" type="button">next ›</button></nav>'
        f'<div class="legend">{legend}</div>'
        '<div class="keys"><kbd>←</kbd> <kbd>→</kbd> records · <kbd>b</kbd> boxes · '
        "<kbd>t</kbd> token by token</div></header>\n"
    )


def _article(seen: Inspection) -> str:
    glyph, said = verdict(seen)
    colour = "bad" if seen.problem else "good"
    told = "".join(f'<p class="remarks">{escape(remark)}</p>' for remark in remarks(seen))
    counts = f'<p class="counts">{escape(counts_words(seen))}</p>' if seen.runs else ""
    images = "".join(map(_figure, seen.images))
    alone = "" if images else " alone"
    pictures = f"<div>{images}</div>" if images else ""
    words = f"<pre>{_conversation(seen)}</pre>" if seen.runs else ""
    return (
        f'<article id="{seen.split}-{seen.record}"><h2>{escape(heading(seen))}</h2>'
        f'<p class="place">{escape(bytes_words(seen))}</p>'
        f'<p class="verdict {colour}">{glyph} {escape(said)}</p>{counts}{told}'
        f'<div class="body{alone}">{pictures}{words}</div></article>\n'
    )


# --- the conversation ---------------------------------------------------------------------------


def _conversation(seen: Inspection) -> str:
    position = 0
    runs: list[str] = []
    for run in seen.runs:
        runs.append(_run(run, position))
        position += run.tokens
    return "".join(runs)


def _run(run: TokenRun, position: int) -> str:
    if run.image is not None:
        last = position + run.tokens - 1
        title = f"tokens {position} to {last}, id {run.ids[0]}"
        return f'<span class="{run.kind}" title="{title}">{escape(run_words(run))}</span>'
    tokens = "".join(
        f'<span title="token {position + place}, id {id_}">{_text(piece)}</span>'
        for place, (id_, piece) in enumerate(zip(run.ids, run.pieces, strict=True))
    )
    return f'<span class="{run.kind}">{tokens}</span>'


# --- pictures -----------------------------------------------------------------------------------


def _figure(image: ShownImage) -> str:
    views = "".join(
        _view(words, picture)
        for words, picture in (
            ("as the file has it", image.stored),
            ("as the model sees it", image.seen),
        )
        if picture is not None
    )
    lines = [*augmentation_words(image)]
    shown = image.seen or image.stored
    lines += [object_words(it) for it in (shown.objects if shown else ())]
    lines += [f"dropped: {object_words(it)}" for it in image.dropped]
    entries = "".join(f"<li>{escape(line)}</li>" for line in lines)
    listed = f"<ul>{entries}</ul>" if entries else ""
    return (
        f'<figure><div class="pair">{views}</div>'
        f"<figcaption>{escape(image_words(image))}{listed}</figcaption></figure>"
    )


def _view(words: str, picture: ShownPicture) -> str:
    width, height = picture.width, picture.height
    size = f"{width} x {height}"
    small = ' class="small"' if max(width, height) < SMALL_PIXELS else ""
    marks = "".join(_mark(marked, max(width, height)) for marked in picture.objects)
    source = f'src="{escape(picture.data)}" width="{width}" height="{height}"'
    return (
        f'<div class="view"><p>{words}, {size}</p><div class="picture">'
        f'<img{small} {source} alt="{words}"/>'
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none">{marks}</svg></div></div>'
    )


def _mark(marked: ShownObject, edge: int) -> str:
    colour = (marked.number - 1) % COLOURS
    points = list(zip(marked.points[::2], marked.points[1::2], strict=True))
    if marked.kind == "box":
        (x1, y1), (x2, y2) = points
        points = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    tag = "polyline" if marked.kind == "line" else "polygon"
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = min(points, key=sum)
    lines = "".join(
        f'<{tag} class="{kind}" points="{path}" vector-effect="non-scaling-stroke"/>'
        for kind in ("outline", f"figure c{colour}")
    )
    size = max(edge / 28, 1.0)
    return (
        f'<g>{lines}<text class="number n{colour}" x="{x + size / 4:.1f}" y="{y + size:.1f}" '
        f'font-size="{size:.1f}" stroke-width="{size / 5:.1f}">{marked.number}</text>'
        f"<title>{_text(marked.desc)}</title></g>"
    )
