"""A training under way: all that changes between two steps, and how it is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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
from diarize.training.device import pick_device
from diarize.training.interrupt import HeldSignals
from diarize.training.journal import Journal
from diarize.training.norms import shared_norms
from diarize.training.optimizer import (
    make_optimizer,
    optimizer_tensors,
    rate_at,
    restore_optimizer,
    set_rate,
)
from diarize.training.progress import Pace, Progress
from diarize.training.ranks import Ranks
from diarize.training.settings import TrainSettings
from diarize.training.shares import shares_of
from diarize.training.shipped import as_module, describe, plain, ship
from diarize.training.tensors import put_into
from diarize.training.update import Diverged, Manner, step_seed, update
from diarize.training.watch import Watch, Watched, at_rest, check_watched, cost_of

MODEL = "model.safetensors"


class Course:
    """One training: a model, what it is trained on, and how far it has come."""

    def __init__(
        self,
        model: Trainable,
        supply: Supply,
        settings: TrainSettings,
        folder: Path,
        data: Mapping[str, Any],
        ranks: Ranks,
    ) -> None:
        self.model, self.supply, self.settings = model, supply, settings
        self.folder, self.data, self.ranks = folder, data, ranks
        self.phases = settings.phases_of(model.phases)
        self.n_batches = {phase: supply.n_batches(phase) for phase in self.phases}
        for phase, n_batches in self.n_batches.items():
            if n_batches < 1:
                raise BadCall(f"{phase}: an epoch has {n_batches} batches; 1 or more are needed")
        check_watched(supply, self.phases)
        self.n_steps = {
            phase: -(-n_batches // self.phases[phase].accumulate)
            for phase, n_batches in self.n_batches.items()
        }
        self.device = pick_device(settings.device, ranks.local)
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
        checkpoint = self.ranks.by_first(lambda: read_checkpoint(self.folder, self.identity))
        if checkpoint:
            self.position, self.saved_steps = checkpoint.position, checkpoint.position.steps
        self.began = time.monotonic() - self.position.seconds
        journal.begin(checkpoint.journal if checkpoint else None)
        if self.settings.tensorboard and self.ranks.is_first:
            journal.show_on_tensorboard(self.position.steps)
        epochs = {name: phase.epochs for name, phase in self.phases.items()}
        self.pace = Pace(epochs, self.n_steps)
        self.pace.begin(self.position)
        names = list(self.phases)
        with shared_norms(self.module, self.ranks):
            for phase in names[names.index(self.position.phase) :]:
                self._phase(phase, checkpoint)
                checkpoint = None
        self.module.load_state_dict(self.average.state_dict())

    def _phase(self, phase: str, checkpoint: Checkpoint | None) -> None:
        path, settings = self.folder / CHECKPOINT, self.phases[phase]
        self.model.begin(phase)
        if checkpoint:  # after begin, lest that changes a weight
            put_into(self.module, checkpoint.model, path)
        else:
            self.position = replace(self.position, phase=phase, epoch=0, step=0, stopped=False)
        self.optimizer = make_optimizer(self.module, settings)
        self.average = WeightAverage(self.module, self.settings.average_decay)
        self.watch = Watch(settings)
        self.manner = Manner(settings.clip_norm, self.settings.precision, self.ranks)
        if checkpoint:
            restore_optimizer(self.optimizer, self.module, checkpoint.optimizer, path)
            self.average.restore(checkpoint.average, self._phase_steps(), path)
            self.watch.restore(checkpoint.watch, checkpoint.best)
        ended = self._has_ended
        while not self._has_ended:
            self._epoch()
            if not self._has_ended:
                self._pause()
        if self.watch.weights:
            self.module.load_state_dict(self.watch.weights)
            self.average.take(self.watch.weights)
        is_last = phase == list(self.phases)[-1]
        self._ship(MODEL if is_last else f"after_{phase}.safetensors", is_last, ended)
        if not ended:
            self._save()
        self.signals.let_go(*self.ranks.greatest(self.signals.pending or 0))

    @property
    def _has_ended(self) -> bool:
        """Whether the present phase has."""
        done = self.position
        return done.stopped or done.epoch == self.phases[done.phase].epochs

    def _phase_steps(self) -> int:
        """How many steps of the present phase are done."""
        done = self.position
        return done.epoch * self.n_steps[done.phase] + done.step

    def _epoch(self) -> None:
        phase, epoch = self.position.phase, self.position.epoch
        n_batches, n_steps = self.n_batches[phase], self.n_steps[phase]
        n_each = self.phases[phase].accumulate
        n_taken = self.position.step * n_each
        batches = iter(self.supply.epoch(phase, epoch, n_taken))
        while self.position.step < n_steps:
            taken = list(islice(batches, min(n_each, n_batches - n_taken)))
            n_taken += len(taken)
            if n_taken < min((self.position.step + 1) * n_each, n_batches):
                raise BadCall(
                    f"{phase}, epoch {epoch}: the supply ended after {n_taken} batches; "
                    f"it promised {n_batches}"
                )
            self._step(taken)
            if self.position.step < n_steps:
                self._pause()
        self.journal.epoch(self.position, self.model.end_epoch())
        if isinstance(self.supply, Watched) and self.watch.is_due(epoch):
            self._look(self.supply.development)
        self.position = replace(self.position, epoch=epoch + 1, step=0, stopped=self.watch.is_over)

    def _step(self, batches: Sequence[Batch]) -> None:
        done, settings = self.position, self.phases[self.position.phase]
        n_steps = self.n_steps[done.phase]
        rate = rate_at(settings, done.epoch, done.step, n_steps)
        set_rate(self.optimizer, rate)
        self.generator.manual_seed(step_seed(self.settings.seed, done.phase, done.epoch, done.step))
        shares = shares_of(batches, self.ranks, self.device)
        try:
            made = update(self.model, self.optimizer, shares, self.generator, self.manner)
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
        if self.journal.step(self.position, rate, made, self.position.step == n_steps):
            self.notify(self.pace.progress(self.position, self.journal.last["total"]))

    def _look(self, supply: Supply) -> None:
        """Look at what data that are not trained on cost, with the weights that would ship now."""
        done, weights = self.position, self.average.state_dict()
        with at_rest(self.module, weights):
            numbers = cost_of(
                self.model, supply, done.phase, self.settings.seed, self.generator, self.manner
            )
        self.watch.look(numbers, weights)
        self.journal.development(done, numbers, self.watch.n_waited)
        if self.watch.is_over and self.watch.best is not None:
            self.journal.stop(done, self.watch.settings.watch, self.watch.best)

    def _pause(self) -> None:
        """Between two steps: a checkpoint if it is time, or if a signal to stop is waiting."""
        is_time = time.monotonic() - self.saved_at >= self.settings.checkpoint_every_s
        signal, is_time_for_any = self.ranks.greatest(self.signals.pending or 0, is_time)
        if signal or is_time_for_any:
            self._save()
            self.signals.let_go(signal)

    def _save(self) -> None:
        """Rank 0 writes what all have; the others wait, lest one that stops takes it along."""
        checkpoint = Checkpoint(
            self.position,
            self.identity,
            self.journal.state() if self.ranks.is_first else {},
            model=self.module.state_dict(),
            average=self.average.tensors(),
            optimizer={} if self._has_ended else optimizer_tensors(self.optimizer, self.module),
            best={} if self._has_ended else self.watch.weights,
            watch={} if self._has_ended else self.watch.state(),
        )
        self.ranks.check_same({**checkpoint.model, **_prefixed(checkpoint.optimizer)})
        if self.ranks.is_first:
            save_checkpoint(self.folder, checkpoint)
        self.ranks.wait()
        self.saved_steps, self.saved_at = self.position.steps, time.monotonic()

    def _ship(self, name: str, is_last: bool, ended: bool) -> None:
        """Write the weights as they are at the end of a phase, unless that was done before."""
        path = self.folder / name
        if not self.ranks.is_first or not (is_last or self.settings.keep_phases):
            return
        if ended and path.exists() and path.with_suffix(".json").exists():
            return
        facts = {
            **self.identity,
            "train": asdict(self.settings),
            "device": str(self.device),
            "ranks": self.ranks.number,
            "steps": self.position.steps,
            "seconds": round(self.position.seconds, 1),
            "losses": self.journal.last,
        }
        ship(path, self.average.state_dict(), facts)


def _prefixed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"optimizer/{name}": one for name, one in tensors.items()}
