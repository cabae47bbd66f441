"""The doctor's checks."""

import json
import os
import time
from pathlib import Path

import pytest
from packaging.version import Version

from tests.trainer.cli.conftest import Qvl
from trainer.cli.check import Check
from trainer.cli.doctor_machine import (
    check_clock,
    check_disk,
    check_encoding,
    check_shared_memory,
    hub_cache,
)
from trainer.cli.doctor_packages import check_patch_embedding, check_versions, requirements
from trainer.cli.doctor_report import report_lines


@pytest.mark.slow
def test_the_doctor_looks_at_everything_and_nothing_is_bad_here(qvl: Qvl):
    done = qvl("doctor", "--json")
    checks = {it["name"]: it for it in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    for name in ("python", "torch", "import torch", "torch and driver", "shared memory", "clock"):
        assert checks[name]["status"] == "ok", checks[name]
    assert {"runs folder", "cache folder", "model cache", "logout", "terminal"} <= set(checks)
    assert any(name.startswith("GPU") for name in checks)


def test_every_package_that_is_asked_for_is_looked_at():
    names = {it.name for it in requirements()}
    assert {"torch", "transformers", "textual"} <= names
    assert "tensorboard" not in names  # an extra
    assert all(it.status == "ok" for it in check_versions())


def test_a_broken_check_comes_with_its_remedy():
    lines = report_lines([Check("a", "bad", "broken", "mend it"), Check("b", "ok", "fine")])
    assert lines == ["✗ a  broken", "     → mend it", "✓ b  fine", "1 bad, 0 warnings"]


def test_the_slow_torch_is_known():
    slow = check_patch_embedding(Version("2.9.1"))
    assert slow
    assert slow.status == "warning"
    assert check_patch_embedding(Version("2.13.0+cpu")) is None


def test_little_shared_memory_is_no_fault(tmp_path: Path):
    assert check_shared_memory(tmp_path).status == "ok"
    assert check_shared_memory(tmp_path / "missing").status == "warning"


def test_a_disk_is_judged_at_the_nearest_folder_that_exists(tmp_path: Path):
    assert check_disk("d", tmp_path / "not" / "there").message.startswith(str(tmp_path))


def test_a_clock_behind_our_own_files_is_told():
    assert check_clock(time.time()).status == "ok"
    assert check_clock(0.0).status == "warning"


def test_an_encoding_that_cannot_show_glyphs_is_bad():
    assert check_encoding("utf-8").status == "ok"
    assert check_encoding("ANSI_X3.4-1968").status == "bad"


def test_the_hubs_cache_follows_its_variables(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", "/data/hf")
    assert hub_cache() == Path("/data/hf/hub")
    monkeypatch.setenv("HF_HUB_CACHE", f"/data/hub{os.sep}")
    assert hub_cache() == Path("/data/hub")
