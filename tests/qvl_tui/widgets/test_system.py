"""GPUs and host, now and over the last minutes."""

from array import array
from dataclasses import replace
from math import nan
from pathlib import Path

from textual.pilot import Pilot

from qvl_tui.feed import Feed
from qvl_tui.widgets.system import System, gpu_lines, host_lines, recent_means
from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.widgets.pane_app import PaneApp, look
from trainer.run.events import GpuSample, Telemetry
from trainer.run.series import Table

GPU = GpuSample(
    index=0,
    uuid="GPU-0",
    name="NVIDIA GeForce RTX 3060",
    utilization=0.97,
    memory_used_bytes=10_800_000_000,
    memory_total_bytes=12_884_901_888,
    power_watts=162.4,
    power_limit_watts=170.0,
    temperature_celsius=71.0,
    sm_clock_mhz=1_777,
    throttle_reasons=("power cap",),
)


def test_a_gpu_is_two_lines():
    assert [line.plain for line in gpu_lines(GPU, 60)] == [
        "GPU0  RTX 3060   97 % ███████▊  11/13 GB",
        "     162/170 W  71 °C  1,777 MHz  ⚠ power cap",
    ]


def test_what_a_gpu_does_not_tell_is_a_dash_and_never_zero():
    lines = gpu_lines(GpuSample(index=1, uuid="GPU-1", name="[A100]"), 60)
    assert lines[0].plain.split() == ["GPU1", "[A100]", "–", "–/–"]
    assert lines[1].plain.split() == ["–/–", "W", "–", "°C", "–", "MHz"]


def test_memory_that_is_nearly_full_and_heat_are_marked_by_a_sign():
    hot = replace(GPU, memory_used_bytes=12_800_000_000, temperature_celsius=90.0)
    first, second = (line.plain for line in gpu_lines(hot, 60))
    assert "⚠ 13/13 GB" in first
    assert "⚠ 90 °C" in second


def test_a_narrow_pane_drops_whole_words():
    for width in range(10, 60):
        assert all(line.cell_length <= width for line in gpu_lines(GPU, width))
    assert "RTX" not in gpu_lines(GPU, 30)[0].plain


def test_little_disk_is_marked():
    sample = Telemetry(disk_free_bytes=2 * 10**9, disk_total_bytes=10**12)
    assert host_lines(sample, 60)[1].plain == "⚠ disk 2.0 GB left of 1.0 TB"


def test_the_history_is_the_mean_of_equal_spans_and_blank_before_the_first_sample():
    table = Table("sample")
    table.extend(
        {
            "sample": array("d", [1, 2, 3, 4]),
            "time": array("d", [1_000, 1_301, 1_599, 1_600]),
            "load": array("d", [0.9, nan, 0.2, 0.4]),
        }
    )
    means = recent_means(table, "load", 6)
    assert means[0] == 0.9
    assert means[1:5] == [None] * 4
    assert abs((means[5] or 0) - 0.3) < 1e-9
    assert recent_means(Table("sample"), "load", 6) == []


def test_every_gpu_and_the_host_are_on_the_screen(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "GPU0  RTX 3060" in app.text
        assert "GPU1  RTX 3060" in app.text
        assert "CPU 33 %   RAM 21/64 GB   trainer 6.1 GB" in app.text
        assert "disk 212 GB left of 512 GB" in app.text
        assert "█ GPU1 load, 10 min" in app.text

    layout = record_run(tmp_path, "run", gpus=2)
    with live(layout):
        look(System, Feed.of(layout), check)


def test_without_a_gpu_the_reason_is_there(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "GPU not available: NVML finds no GPU" in app.text

    look(System, Feed.of(record_run(tmp_path, "run", gpus=0)), check)


def test_samples_of_a_run_that_ended_say_how_old_they_are(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "System  1 h 00 m ago" in app.text

    layout = record_run(tmp_path, "run", end="crashed", ended_ago_seconds=3600)
    feed = Feed.of(layout)

    async def check_later(pilot: Pilot[None], app: PaneApp) -> None:
        app.clock = feed.state.recent_telemetry[-1].time + 3600
        app.pane.show(feed)
        await pilot.pause()
        await check(pilot, app)

    look(System, feed, check_later)


def test_before_the_first_sample_the_pane_says_so(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "no samples of GPU and host yet" in app.text

    layout = record_run(tmp_path, "run")
    layout.telemetry.unlink()
    look(System, Feed.of(layout), check)
