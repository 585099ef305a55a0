"""A training under way: all that changes between two steps, and how it is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from diarize.errors import BadCall
from diarize.models.contract import Batch, Supply, Trainable
from diarize.training.average import WeightAverage
from diarize.training.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    Position,
    read_checkpoint,
    save_checkpoint,
)
from diarize.training.interrupt import HeldSignals
from diarize.training.journal import Journal
from diarize.training.optimizer import (
    make_optimizer,
    optimizer_tensors,
    rate_at,
    restore_optimizer,
    set_rate,
)
from diarize.training.settings import TrainSettings
from diarize.training.shipped import as_module, describe, plain, ship
from diarize.training.tensors import put_into
from diarize.training.update import Diverged, moved, step_seed, update

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Progress:
    """Where a training is: told at each line of the journal.

    Attributes:
        epoch: the one under way, from 1 to `n_epochs`.
        is_epoch_end: whether this was its last step.
        share: of all steps of all phases that are done.
        total: the loss since the line before, nats a datum.
    """

    phase: str
    epoch: int
    n_epochs: int
    is_epoch_end: bool
    share: float
    total: float


class Course:
    """One training: a model, what it is trained on, and how far it has come."""

    def __init__(
        self,
        model: Trainable,
        supply: Supply,
        settings: TrainSettings,
        folder: Path,
        data: Mapping[str, Any],
        device: torch.device,
    ) -> None:
        self.model, self.supply, self.settings = model, supply, settings
        self.folder, self.data = folder, data
        self.phases = settings.phases_of(model.phases)
        self.n_batches = {phase: supply.n_batches(phase) for phase in self.phases}
        for phase, n_batches in self.n_batches.items():
            if n_batches < 1:
                raise BadCall(f"{phase}: an epoch has {n_batches} batches; 1 or more are needed")
        self.device = device
        self.module = as_module(model).to(self.device)
        self.generator = torch.Generator(self.device)
        self.position = Position(next(iter(self.phases)))
        self.saved_steps, self.saved_at = 0, time.monotonic()

    def run(
        self, journal: Journal, signals: HeldSignals, notify: Callable[[Progress], None]
    ) -> None:
        """Go through all phases from the last checkpoint on; the model ends as what ships."""
        self.journal, self.signals, self.notify = journal, signals, notify
        model = describe(self.model)
        made = {"train": self.settings.decisive(), "data": self.data, "batches": self.n_batches}
        self.identity = plain({"model": model, **made})
        checkpoint = read_checkpoint(self.folder, self.identity)
        if checkpoint:
            self.position, self.saved_steps = checkpoint.position, checkpoint.position.steps
        self.began = time.monotonic() - self.position.seconds
        journal.begin(checkpoint.journal if checkpoint else None)
        if self.settings.tensorboard:
            journal.show_on_tensorboard(self.position.steps)
        names = list(self.phases)
        for phase in names[names.index(self.position.phase) :]:
            self._phase(phase, checkpoint)
            checkpoint = None
        self.module.load_state_dict(self.average.state_dict())

    def _phase(self, phase: str, checkpoint: Checkpoint | None) -> None:
        path = self.folder / CHECKPOINT
        n_epochs = self.phases[phase].epochs
        self.model.begin(phase)
        if checkpoint:  # after begin, lest that changes a weight
            put_into(self.module, checkpoint.model, path)
        else:
            self.position = replace(self.position, phase=phase, epoch=0, step=0)
        self.optimizer = make_optimizer(self.module, self.phases[phase])
        self.average = WeightAverage(self.module, self.settings.average_decay)
        if checkpoint:
            restore_optimizer(self.optimizer, self.module, checkpoint.optimizer, path)
            self.average.restore(checkpoint.average, self._phase_steps(), path)
        ended = self.position.epoch == n_epochs
        while self.position.epoch < n_epochs:
            self._epoch()
            if self.position.epoch < n_epochs:
                self._pause()
        is_last = phase == list(self.phases)[-1]
        self._ship(MODEL if is_last else f"after_{phase}.safetensors", is_last, ended)
        if not ended:
            self._save()
        self.signals.let_go()

    def _phase_steps(self) -> int:
        """How many steps of the present phase are done."""
        done = self.position
        return done.epoch * self.n_batches[done.phase] + done.step

    def _epoch(self) -> None:
        phase, epoch = self.position.phase, self.position.epoch
        n_batches = self.n_batches[phase]
        for batch in self.supply.epoch(phase, epoch, self.position.step):
            self._step(batch)
            if self.position.step == n_batches:
                break
            self._pause()
        if self.position.step < n_batches:
            raise BadCall(
                f"{phase}, epoch {epoch}: the supply ended after {self.position.step} batches; "
                f"it promised {n_batches}"
            )
        self.journal.epoch(self.position, self.model.end_epoch())
        self.position = replace(self.position, epoch=epoch + 1, step=0)

    def _step(self, batch: Batch) -> None:
        done, settings = self.position, self.phases[self.position.phase]
        n_batches = self.n_batches[done.phase]
        rate = rate_at(settings, done.epoch, done.step, n_batches)
        set_rate(self.optimizer, rate)
        self.generator.manual_seed(step_seed(self.settings.seed, done.phase, done.epoch, done.step))
        try:
            made = update(
                self.model,
                self.optimizer,
                moved(batch, self.device),
                self.generator,
                settings.clip_norm,
            )
        except Diverged as error:
            raise Diverged(
                f"{done.phase}, epoch {done.epoch}, step {done.step}: {error}; a lower rate or a "
                f"clip_norm may help; the checkpoint in {self.folder} is of step {self.saved_steps}"
            ) from None
        self.average.update()
        self.position = replace(
            done,
            step=done.step + 1,
            steps=done.steps + 1,
            seconds=time.monotonic() - self.began,
        )
        if self.journal.step(self.position, rate, made, self.position.step == n_batches):
            self._tell()

    def _tell(self) -> None:
        done, all_steps, before = self.position, 0, 0
        for phase, settings in self.phases.items():
            if phase == done.phase:
                before = all_steps
            all_steps += settings.epochs * self.n_batches[phase]
        share = (before + self._phase_steps()) / all_steps
        self.notify(
            Progress(
                done.phase,
                epoch=done.epoch + 1,
                n_epochs=self.phases[done.phase].epochs,
                is_epoch_end=done.step == self.n_batches[done.phase],
                share=share,
                total=self.journal.last["total"],
            )
        )

    def _pause(self) -> None:
        """Between two steps: a checkpoint if it is time, or if a signal to stop is waiting."""
        waited_s = time.monotonic() - self.saved_at
        if self.signals.pending is not None or waited_s >= self.settings.checkpoint_every_s:
            self._save()
            self.signals.let_go()

    def _save(self) -> None:
        ended = self.position.epoch == self.phases[self.position.phase].epochs
        checkpoint = Checkpoint(
            self.position,
            self.identity,
            self.journal.state(),
            model=self.module.state_dict(),
            average=self.average.tensors(),
            optimizer={} if ended else optimizer_tensors(self.optimizer, self.module),
        )
        save_checkpoint(self.folder, checkpoint)
        self.saved_steps, self.saved_at = self.position.steps, time.monotonic()

    def _ship(self, name: str, is_last: bool, ended: bool) -> None:
        """Write the weights as they are at the end of a phase, unless that was done before."""
        path = self.folder / name
        if not (is_last or self.settings.keep_phases):
            return
        if ended and path.exists() and path.with_suffix(".json").exists():
            return
        facts = {
            **self.identity,
            "train": asdict(self.settings),
            "device": str(self.device),
            "steps": self.position.steps,
            "seconds": round(self.position.seconds, 1),
            "losses": self.journal.last,
        }
        ship(path, self.average.state_dict(), facts)
