"""Why something cannot be done with a run now."""

from collections.abc import Sequence

from qvl_tui.feed import Feed
from qvl_tui.run_line import RunLine

DOUBTFUL_ACTIONS = ("stop", "checkpoint", "validate", "resume", "newest_alert")


LISTED_ACTIONS = ("open", "mark", "compare", "resume", "stop", "edit_copy", "delete", "note")


def why_not_listed(action: str, chosen: RunLine | None, marked: Sequence[RunLine]) -> str:
    """Return why an action of the list makes no sense for its runs now; empty where it does."""
    if action == "compare":
        return "" if len(marked) > 1 else "Mark two runs or more with space, then c compares them."
    if action == "delete" and marked:
        return _why_not_delete(marked)
    if action not in (*LISTED_ACTIONS, "rename"):
        return ""
    if chosen is None:
        return "No run is chosen."
    match action:
        case "resume" if chosen.live:
            return f"{chosen.name} runs already: it is {chosen.state}."
        case "resume" if chosen.state == "finished":
            return f"{chosen.name} is finished; e edits a copy."
        case "stop" if not chosen.live:
            return f"{chosen.name} is {chosen.state}; there is nothing to stop."
        case "delete":
            return _why_not_delete([chosen])
    return ""


def _why_not_delete(lines: Sequence[RunLine]) -> str:
    live = [line.name for line in lines if line.live]
    return f"{', '.join(live)} still runs; stop it first." if live else ""


def why_not(action: str, feed: Feed) -> str:
    """Return why an action of a run's screen makes no sense now; empty where it does."""
    name, word = feed.layout.name, feed.status.state
    if not feed.loaded and action in DOUBTFUL_ACTIONS:
        return f"{name} is still being read."
    match action:
        case "stop" if feed.status.over:
            return f"{name} does not run, so it cannot be stopped: it is {word}."
        case "checkpoint" | "validate":
            return _why_not_ask(action, feed)
        case "resume":
            return _why_not_resume(feed)
        case "newest_alert" if not feed.state.alerts:
            return "There is no alert."
    return ""


def _why_not_ask(action: str, feed: Feed) -> str:
    name, word = feed.layout.name, feed.status.state
    if feed.status.over:
        return f"{name} is {word}; only a run that lives can {action}."
    if word == "stopping":
        return f"{name} is stopping; it writes a checkpoint as it does."
    plan = feed.state.plan
    if action == "validate" and plan and not plan.validation_records:
        return f"{name} has no validation data."
    return ""


def _why_not_resume(feed: Feed) -> str:
    name, word = feed.layout.name, feed.status.state
    if not feed.status.over:
        return f"{name} runs already: it is {word}."
    if word == "finished":
        return f"{name} is finished; e edits a copy."
    return ""
