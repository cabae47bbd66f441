"""Every test of the screen sees the same terminal, the same clock zone and nobody's settings."""

import time
from collections.abc import Iterator

import pytest
from textual.app import App


@pytest.fixture(scope="session", autouse=True)
def plain_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set what decides colours, times and where settings and caches lie."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLORTERM", "truecolor")
        patch.setenv("TEXTUAL_ANIMATIONS", "none")
        patch.setenv("TZ", "UTC")
        patch.delenv("NO_COLOR", raising=False)
        patch.delenv("QVL_RUNS", raising=False)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(autouse=True)
def patient_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let notifications stay: on a busy machine five seconds pass before a test looks."""
    monkeypatch.setattr(App, "NOTIFICATION_TIMEOUT", 3600)
