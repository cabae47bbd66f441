from pathlib import Path

import orjson

from trainer.cli.preflight import EVENT_BYTES, bytes_wanted
from trainer.config.load import load_config
from trainer.run.layout import RunLayout


def save(layout: RunLayout, step: int, size: int) -> None:
    manifest = {
        "step": step,
        "attempt": 1,
        "data_sha256": "",
        "versions": {},
        "files": {"optimizer.safetensors": {"bytes": size, "sha256": ""}},
    }
    layout.checkpoint(step).mkdir(parents=True)
    (layout.checkpoint(step) / "manifest.json").write_bytes(orjson.dumps(manifest))


def test_what_a_resumed_run_wants_follows_from_the_checkpoints_it_has(tmp_path: Path):
    layout = RunLayout(tmp_path / "run")
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    options = [f"model.path={tmp_path}", "data.train=t.jsonl", "checkpoint.keep_last=3"]
    config = load_config("balanced", options, files_must_exist=False)
    assert bytes_wanted(config, layout) == bytes_wanted(config) == EVENT_BYTES + 200  # a guess
    save(layout, 20, 7_000)
    (layout.checkpoints / "step-00000030").mkdir()  # without a manifest, so of unknown size
    (layout.checkpoints / "tmp-40-1").mkdir()
    assert bytes_wanted(config, layout) == EVENT_BYTES + 4 * 7_000  # three, the best and a new one
    for step in (40, 60, 80, 100):
        save(layout, step, 8_000)
    assert bytes_wanted(config, layout) == EVENT_BYTES + 8_000
