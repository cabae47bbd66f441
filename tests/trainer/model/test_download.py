"""A hub id becomes a folder here, checked for room, told as a phase, or an error that helps."""

import json
import os
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DryRunFileInfo

from trainer.config.model import ModelConfig
from trainer.model.download import check_room, ensure_local
from trainer.model.errors import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "qwen3_vl"}',
    "model.safetensors": os.urandom(3_000_000),
    "pytorch_model.bin": b"a pickle",
    "merges.txt": b"a b",
}
# Runs in a process of its own: the hub's address is read when its library is imported.
FETCH = """
import sys, orjson
import trainer.model.download as download
from trainer.config.model import ModelConfig
download.PROGRESS_SECONDS = 0
events = []
try:
    print(download.ensure_local(ModelConfig.model_validate_json(sys.argv[1]), events.append))
except ValueError as error:
    print(type(error).__name__, error)
print(orjson.dumps(events).decode())
print("torch" in sys.modules)
"""


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download asks for."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0]
        if "/closed" in path:
            return self.send(403, b"", {"X-Error-Code": "GatedRepo"}, body)
        if path == "/api/models/some/model/revision/main":
            return self.send(
                200, json.dumps({"id": "some/model", "sha": COMMIT}).encode(), {}, body
            )
        if "/revision/" in path and "/some/model/" in path:
            return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"}, body)
        if path == f"/api/models/some/model/tree/{COMMIT}":
            return self.send(200, json.dumps(self.tree()).encode(), {}, body)
        name = path.removeprefix(f"/some/model/resolve/{COMMIT}/")
        if name in FILES:
            headers = {"ETag": f'"{name}"', "X-Repo-Commit": COMMIT}
            return self.send(200, FILES[name], headers, body)
        return self.send(401, b"", {}, body)

    def tree(self) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "size": len(content), "oid": name}
            for name, content in FILES.items()
        ]

    def send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


Fetched = namedtuple("Fetched", ["result", "events", "torch_loaded"])


def fetch(endpoint: str, cache: Path, offline: bool = False, **model: Any) -> Fetched:
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": str(int(offline)),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    config = ModelConfig(**{"path": "some/model", "cache_dir": str(cache), **model})
    done = subprocess.run(
        [sys.executable, "-c", FETCH, config.model_dump_json()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    result, events, torch_loaded = done.stdout.splitlines()[-3:]
    return Fetched(result, json.loads(events), torch_loaded == "True")


def test_a_model_is_fetched_once_without_pickles_and_then_found_offline(hub: str, tmp_path: Path):
    result, events, torch_loaded = fetch(hub, tmp_path)
    folder = Path(result)
    assert folder.name == COMMIT
    assert not torch_loaded
    assert {path.name for path in folder.iterdir()} == set(FILES) - {"pytorch_model.bin"}
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    total = sum(len(content) for name, content in FILES.items() if not name.endswith(".bin"))
    assert [events[0]["state"], events[-1]["state"]] == ["started", "finished"]
    assert {(event["name"], event["total"], event["unit"]) for event in events} == {
        ("download", total, "bytes")
    }
    done = [event["done"] for event in events if event["state"] == "progress"]
    assert done == sorted(done)
    assert done[-1] == total

    again = fetch(hub, tmp_path)
    assert (again.result, again.events) == (result, [])
    offline = fetch(hub, tmp_path, offline=True)
    assert offline.result == result
    assert [event["topic"] for event in offline.events] == ["download"]
    gone = fetch("http://127.0.0.1:9", tmp_path)
    assert gone.result == result


@pytest.mark.parametrize(
    ("model", "offline", "problem"),
    [
        ({"path": "some/closed"}, False, "asks for permission.*hf auth login"),
        ({"path": "some/private"}, False, "not on the hub, or private.*hf auth login"),
        ({"revision": "v9"}, False, "has no revision v9"),
        ({"path": "a b/c"}, False, "neither a folder nor a hub id"),
        ({}, True, "cannot be reached.*set model.path to its folder"),
    ],
    ids=["gated", "private", "revision", "name", "offline"],
)
def test_what_goes_wrong_says_what_to_do(
    hub: str, tmp_path: Path, model: dict[str, str], offline: bool, problem: str
):
    result = fetch(hub, tmp_path, offline, **model).result
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(result)
    assert result.startswith("ModelError")


def test_no_connection_says_what_to_do(tmp_path: Path):
    assert "cannot be reached" in fetch("http://127.0.0.1:9", tmp_path).result


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path):
    assert ensure_local(ModelConfig(path=str(tmp_path)), lambda _: None) == tmp_path


def test_a_model_larger_than_the_disk_is_refused_before_it_is_fetched(tmp_path: Path):
    huge = DryRunFileInfo(
        commit_hash=COMMIT,
        file_size=10**18,
        filename="model.safetensors",
        local_path="",
        is_cached=False,
        will_download=True,
    )
    with pytest.raises(ModelError, match=r"1000000000.0 GB and .* GB are free.*model.cache_dir"):
        check_room([huge], tmp_path / "not" / "yet" / "there")
