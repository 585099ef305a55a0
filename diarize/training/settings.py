"""The `[train]` table of a conf: how each phase of a training goes, and what is kept of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from diarize.errors import BadCall, BadFile

FREE = ("device", "threads", "checkpoint_every_s", "keep_phases", "tensorboard")
LATER = (
    *("precision", "develop", "accumulate", "start", "start_parts"),
    *("evaluate_every", "patience", "watch", "better"),
)
Precision = Literal["float32", "bfloat16", "auto"]


@dataclass(frozen=True)
class PhaseSettings:
    """How one phase goes.

    Attributes:
        epochs: how often its supply is gone through; 0 leaves the phase out.
        rate: of learning, at its highest.
        schedule: "constant"; "cosine", which falls from `rate` to `lowest_rate` over the phase;
            "step", which multiplies by `step_factor` after every epoch, down to `lowest_rate`.
        step_factor: by which "step" multiplies; as in the experts of arXiv 2510.15669.
        lowest_rate: below which "cosine" and "step" do not go.
        warmup_steps: over which the rate grows linearly from zero.
        clip_norm: the longest a step's gradient may be; 0 leaves all as they are.
        optimizer: "adam", or "adamw" with weights that decay apart from the gradient.
        weight_decay: pull of the weights towards zero.
        accumulate: batches to a step; the last step of an epoch has those that are left.
        evaluate_every: epochs between two looks at the development data, if there are any.
        patience: looks without a better one after which the phase ends, with the weights as they
            were at the best; 0 goes through all epochs, and keeps the last.
        watch: the number that is looked at: "total", or a part of the losses.
        better: which of its values are.
    """

    epochs: int = 10
    rate: float = 1e-3
    schedule: Literal["constant", "cosine", "step"] = "constant"
    step_factor: float = 0.9998
    lowest_rate: float = 1e-5
    warmup_steps: int = 0
    clip_norm: float = 0.0
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = 0.0
    accumulate: int = 1
    evaluate_every: int = 1
    patience: int = 0
    watch: str = "total"
    better: Literal["lower", "higher"] = "lower"

    def __post_init__(self) -> None:
        _at_least(self, 0, "epochs", "lowest_rate", "warmup_steps", "clip_norm", "weight_decay")
        _at_least(self, 1, "accumulate", "evaluate_every")
        _at_least(self, 0, "patience")
        if not 0 < self.rate < math.inf:
            raise BadCall(f"rate = {self.rate}; a number above 0 would be right")
        if not 0 < self.step_factor <= 1:
            raise BadCall(f"step_factor = {self.step_factor}; above 0 and at most 1 would be right")


@dataclass(frozen=True)
class TrainSettings:
    """How a training goes. What is in `FREE` may differ when it goes on; nothing else may.

    Attributes:
        seed: of the first weights, the batches and the noise.
        start: weights to begin with instead of chance, of a model with the same settings: the name
            of those that ship (`diarize weights` lists them), or a path.
        start_parts: the parts of the model, as "encoder", that begin with these weights, of a model
            whose settings may differ elsewhere; all else begins by chance. Empty: the whole model.
        device: "auto" is a GPU where torch sees one.
        threads: of torch on the CPU; 0 leaves them as they are. Another number, like another
            device, may change the last digits of what comes out.
        phases: by name; one that is not here is left out of the training.
        precision: of products of matrices in the loss. "bfloat16" is torch's autocast, with weights
            and sums in float32 still; "auto" is that on GPUs which have it, and float32 elsewhere.
        develop: what differs from the table [data] in the data that the training is judged by as it
            goes on; empty: there are none.
        average_decay: of the running average of the weights, which then is what ships: .999 goes
            back some thousand steps. 0 ships the last weights.
        checkpoint_every_s: seconds between checkpoints.
        keep_phases: keep the weights as each phase left them, in `after_PHASE.safetensors`.
        journal_every: steps to a line of the journal, which holds their means.
        tensorboard: write the journal's numbers for TensorBoard too.
    """

    seed: int = 0
    start: str = ""
    start_parts: tuple[str, ...] = ()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0
    phases: dict[str, PhaseSettings] = field(default_factory=dict)
    precision: Precision = "float32"
    develop: dict[str, Any] = field(default_factory=dict)
    average_decay: float = 0.0
    checkpoint_every_s: float = 60.0
    keep_phases: bool = False
    journal_every: int = 10
    tensorboard: bool = False

    def __post_init__(self) -> None:
        _at_least(self, 0, "seed", "threads", "checkpoint_every_s")
        _at_least(self, 1, "journal_every")
        if self.start_parts and not self.start:
            raise BadCall(f"start_parts = {self.start_parts} without start; both, or neither")
        if not 0 <= self.average_decay < 1:
            raise BadCall(f"average_decay = {self.average_decay}; 0 to below 1 would be right")

    def phases_of(self, names: tuple[str, ...]) -> dict[str, PhaseSettings]:
        """The phases that are to be gone through, of those a model has, in its order.

        Raises:
            BadFile: a phase has epochs that the model does not have, or none has any.
        """
        there = f"this model has {', '.join(names)}"
        for name, phase in self.phases.items():
            if phase.epochs and name not in names:
                raise BadFile(f"[train.phases.{name}]: no such phase; {there}")
        if not any(phase.epochs for phase in self.phases.values()):
            raise BadFile(f"[train]: no phases; {there}, each in a table [train.phases.NAME]")
        wanted = {name: phase for name, phase in self.phases.items() if phase.epochs}
        return {name: wanted[name] for name in names if name in wanted}

    def decisive(self) -> Mapping[str, Any]:
        """All that decides the numbers of a training, as JSON has it.

        What came to these settings later is left out where it is as it was before there was a
        choice, so that checkpoints from before are of the same training still.
        """
        told = {name: one for name, one in _without_later(self).items() if name not in FREE}
        phases = {name: _without_later(phase) for name, phase in self.phases.items()}
        return {**told, "phases": phases}


def _without_later(settings: TrainSettings | PhaseSettings) -> dict[str, Any]:
    usual = type(settings)()
    return {
        name: value
        for name, value in dataclasses.asdict(settings).items()
        if name not in LATER or value != getattr(usual, name)
    }


def _at_least(settings: object, least: int, *names: str) -> None:
    for name in names:
        if not least <= getattr(settings, name) < math.inf:
            found = getattr(settings, name)
            raise BadCall(f"{name} = {found}; {least} or more would be right")
