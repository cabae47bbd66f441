"""What is known of one attempt of a run: who runs it, what it does now, how it ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from trainer.run.events import (
    AnyEvent,
    AttemptStarted,
    CommandDone,
    CommandReceived,
    Evaluation,
    Exit,
    OnExitDone,
    Phase,
    PhaseName,
    RankStarted,
    Resumed,
    Stalled,
    Step,
    StopRung,
    SupervisorStarted,
    TrainabilityProved,
    TrainerEnded,
)


@dataclass
class CommandProgress:
    """A command on its way: the supervisor answers it, then the trainer does it."""

    received: CommandReceived | None = None
    done: CommandDone | None = None


@dataclass
class Attempt:
    """One attempt, as its events tell it."""

    number: int = 0
    supervisor: SupervisorStarted | None = None
    ranks: dict[int, RankStarted] = field(default_factory=dict[int, RankStarted])
    started: AttemptStarted | None = None
    first_step: int = 0  # the step it went on from
    trained: bool = False  # whether it got as far as a step or an evaluation
    phases: dict[PhaseName, Phase] = field(default_factory=dict[PhaseName, Phase])  # under way
    proofs: list[TrainabilityProved] = field(default_factory=list[TrainabilityProved])
    commands: dict[str, CommandProgress] = field(default_factory=dict[str, CommandProgress])
    stop: StopRung | None = None  # the highest rung reached
    stalled: Stalled | None = None  # None: it moves
    trainer_ended: TrainerEnded | None = None
    exit: Exit | None = None
    on_exit: OnExitDone | None = None

    @property
    def phase(self) -> Phase | None:
        """The phase under way, the innermost where one lies inside another."""
        return next(reversed(self.phases.values()), None)

    def apply(self, event: AnyEvent) -> None:
        """Take in one event of this attempt."""
        handler = self._handlers.get(type(event))
        if handler:
            handler(self, event)

    def _on_supervisor_started(self, event: SupervisorStarted) -> None:
        self.supervisor = event

    def _on_rank_started(self, event: RankStarted) -> None:
        self.ranks[event.rank] = event

    def _on_attempt_started(self, event: AttemptStarted) -> None:
        self.started = event

    def _on_resumed(self, event: Resumed) -> None:
        self.first_step = event.step

    def _on_trained(self, _event: Step | Evaluation) -> None:
        self.trained = True

    def _on_phase(self, event: Phase) -> None:
        if event.state == "finished":
            self.phases.pop(event.name, None)
        else:
            self.phases[event.name] = event
        self.trained = self.trained or event.name == "train"

    def _on_proved(self, event: TrainabilityProved) -> None:
        self.proofs.append(event)

    def _on_command_received(self, event: CommandReceived) -> None:
        self.commands.setdefault(event.id, CommandProgress()).received = event

    def _on_command_done(self, event: CommandDone) -> None:
        self.commands.setdefault(event.id, CommandProgress()).done = event

    def _on_stop_rung(self, event: StopRung) -> None:
        self.stop = event

    def _on_stalled(self, event: Stalled) -> None:
        self.stalled = event if event.stalled else None

    def _on_trainer_ended(self, event: TrainerEnded) -> None:
        self.trainer_ended = event

    def _on_exit(self, event: Exit) -> None:
        self.exit = event

    def _on_on_exit_done(self, event: OnExitDone) -> None:
        self.on_exit = event

    _handlers: ClassVar[dict[type, Callable[["Attempt", Any], None]]] = {
        SupervisorStarted: _on_supervisor_started,
        RankStarted: _on_rank_started,
        AttemptStarted: _on_attempt_started,
        Resumed: _on_resumed,
        Step: _on_trained,
        Evaluation: _on_trained,
        Phase: _on_phase,
        TrainabilityProved: _on_proved,
        CommandReceived: _on_command_received,
        CommandDone: _on_command_done,
        StopRung: _on_stop_rung,
        Stalled: _on_stalled,
        TrainerEnded: _on_trainer_ended,
        Exit: _on_exit,
        OnExitDone: _on_on_exit_done,
    }
