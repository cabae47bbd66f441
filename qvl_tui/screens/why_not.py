"""Why something cannot be done with a run now."""

from qvl_tui.feed import Feed

DOUBTFUL_ACTIONS = ("stop", "checkpoint", "validate", "resume", "newest_alert")


def why_not(action: str, feed: Feed) -> str:
    """Return why an action of a run's screen makes no sense now; empty where it does."""
    name, word = feed.layout.name, feed.status.state
    if not feed.loaded and action in DOUBTFUL_ACTIONS:
        return f"{name} is still being read."
    match action:
        case "stop" if not feed.status.held:
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
    if not feed.status.held:
        return f"{name} is {word}; only a run that lives can {action}."
    if word == "stopping":
        return f"{name} is stopping; it writes a checkpoint as it does."
    plan = feed.state.plan
    if action == "validate" and plan and not plan.validation_records:
        return f"{name} has no validation data."
    return ""


def _why_not_resume(feed: Feed) -> str:
    name, word = feed.layout.name, feed.status.state
    if feed.status.held:
        return f"{name} runs already: it is {word}."
    if word == "finished":
        return f"{name} is finished; e edits a copy."
    return ""
