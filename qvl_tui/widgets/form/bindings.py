"""The keys of the form of a new run."""

from textual.binding import Binding

FORM_BINDINGS = (
    Binding("f5,ctrl+s", "start", "start", id="new.start", tooltip="Start the run"),
    Binding("f7", "turn_view", "view", id="new.view", tooltip="Form, YAML or preflight"),
    Binding("ctrl+o", "browse", "browse", id="new.browse", tooltip="Choose files or a folder"),
    Binding("f3", "open", "presets", id="new.open", tooltip="Start from a preset or a file"),
    Binding("f2", "save", "save", id="new.save", tooltip="Save it under a name"),
    Binding("f4", "gpu", "GPU", id="new.gpu", tooltip="Choose the GPU, see which are free"),
    Binding("f6", "look", "preflight", id="new.look", tooltip="Look at data and model again"),
    Binding("f9", "data", "data", id="new.data", tooltip="Look at the records"),
    Binding("ctrl+r", "reset", "reset", id="new.reset", tooltip="Empty the field"),
    Binding("f8", "problem", "next problem", id="new.problem", tooltip="Go to a problem"),
    Binding("escape", "leave", "back", id="new.back", tooltip="Leave the form"),
)
