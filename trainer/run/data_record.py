"""data.json: which data files a run trained on, and what was skipped in them."""

from typing import Any, Literal, cast

import orjson

from trainer.run.layout import RunLayout

Split = Literal["train", "validation"]


def read_data_record(layout: RunLayout) -> dict[Split, list[dict[str, str]]] | None:
    """Return path and sha256 of the files that earlier attempts trained on, by split.

    None before the first attempt has written it.

    Raises:
        ValueError: The file is damaged.

    """
    if not layout.data.exists():
        return None
    given: Any = orjson.loads(layout.data.read_bytes())
    if not isinstance(given, dict) or "files" not in given:
        raise ValueError(f"{layout.data}: it does not name the data of the run")
    return cast(dict[str, Any], given)["files"]
