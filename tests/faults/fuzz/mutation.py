"""Break valid files a little: bytes, spans, and values inside of JSON."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import orjson
from hypothesis import strategies as st

WORDS = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\r\n",
    b"\n\n",
    b'"',
    b"\\u0000",
    b"\\ud800",
    b"{}",
    b"[[",
    b"]",
    b"<image>",
    b"<|im_end|>",
    b"1e999",
    b"-0",
    b"NaN",
    b"9" * 40,
    b"!!python/object:os.system",
    b"\x7f\xff\xff\xff",
    b"\xff" * 8,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    1e308,
    0.5,
    "",
    "\0",
    "\x1b[31m",
    "x" * 5000,
    "<image>" * 50,
    [],
    {},
    [[[[[[]]]]]],
    {"": {}},
    ["red.png"] * 100,
    [0, 0, 1, 1],
    "data:image/png;base64,",
    "http://127.0.0.1/",
    "/dev/zero",
)


@st.composite
def broken_bytes(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """A sample with some bytes or spans changed."""
    content = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(content)))
        end = min(start + draw(st.integers(0, 64)), len(content))
        how = draw(st.integers(0, 5))
        if how == 0 and start < len(content):
            content[start] ^= 1 << draw(st.integers(0, 7))
        elif how == 1:
            del content[start:end]
        elif how == 2:
            content[start:start] = content[start:end] * draw(st.integers(1, 20))
        elif how == 3:
            content[start:end] = draw(st.sampled_from(WORDS))
        elif how == 4:
            content[start:end] = draw(st.binary(max_size=16))
        else:
            del content[start:]
    return bytes(content)


@st.composite
def broken_json(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """A sample of JSON with some of its values replaced, removed or put elsewhere."""
    value = orjson.loads(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(places_in({"all": value})))
        how = draw(st.integers(0, 3))
        if how == 0 and isinstance(holder, dict) and holder is not value:
            holder[draw(st.sampled_from(("", "images", "role", "type", "step")))] = holder[key]
        elif how == 1 and isinstance(holder, list):
            holder.extend(deepcopy(holder[:1]) * draw(st.integers(0, 50)))
        else:
            holder[key] = deepcopy(draw(st.sampled_from(VALUES)))
    return orjson.dumps(value)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Return every list and dictionary below a value with each of its keys."""
    found: list[tuple[Any, Any]] = []
    pairs = enumerate(value) if isinstance(value, list) else value.items()
    for key, inner in pairs:
        found.append((value, key))
        if isinstance(inner, list | dict) and len(found) < 1000:
            found += places_in(inner)
    return found
