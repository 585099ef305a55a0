"""Run as one of several ranks, each does the trainings it is asked for; run alone, the same."""

import json
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch._dynamo  # an optimizer loads it at its first step: here once, not in each worker
from toy import PHASES, SETTINGS, Toy, ToySupply, new_toy

from diarize import models
from diarize.corpora.batch import Batch
from diarize.errors import DiarizeError
from diarize.models.contract import Losses
from diarize.models.msvae.config import MSVAESettings
from diarize.models.msvae.model import MSVAE
from diarize.training.loop import Watched, train
from diarize.training.ranks import MEETING, met_ranks
from diarize.training.settings import PhaseSettings
from diarize.training.tensors import read_tensors

IMAGES = MSVAESettings(
    **{"n_streams": 3, "n_values": 16, "n_latents": 2, "encoder_widths": (4, 8)},
    **{"decoder_widths": (6,), "n_patterns": 4, "most_candidates": 3},
    **{"readout": "weighed", "pattern_weight": 1.0},
)
PATIENT = PhaseSettings(epochs=9, rate=0.05, patience=2, watch="error")


class Uneven(ToySupply):
    """Batches of five, then seven data, whose sums tell how many they were."""

    def epoch(self, phase, epoch, start=0):
        for step, batch in enumerate(super().epoch(phase, epoch, start), start):
            if step % 2:
                yield Batch(torch.cat([batch.inputs, batch.inputs[:1] / 2]))
            else:
                yield Batch(batch.inputs[:5])


class ImageSupply:
    """Sums of three small patterns: single ones with labels, some sums with what is in them."""

    def n_batches(self, phase):
        return 4

    def epoch(self, phase, epoch, start=0):
        for step in range(start, 4):
            chance = torch.Generator().manual_seed(100 * epoch + step)
            shapes = torch.eye(3).repeat_interleave(5, 1)[:, :15]
            shapes = torch.nn.functional.pad(shapes, (0, 1))
            noise = 0.1 * torch.randn(9, 16, generator=chance)
            if phase == "experts":
                labels = torch.arange(3).repeat_interleave(3)
                yield Batch(shapes[labels] + noise, labels)
            else:
                pattern = torch.randint(2, (9, 3), generator=chance)
                told = torch.where(torch.arange(9)[:, None] < 5, -1, pattern)
                yield Batch(pattern.float() @ shapes + noise, patterns=told)


def images():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return MSVAE(IMAGES)


def image_settings():
    rates = {"experts": 0.01, "mixtures": 0.005, "refine": 0.001}
    phases = {name: PhaseSettings(epochs=2, rate=rate) for name, rate in rates.items()}
    return replace(SETTINGS, phases=phases)


class Counting(Toy):
    """Counts its data in whole numbers."""

    def __init__(self):
        super().__init__()
        self.load_state_dict(new_toy().state_dict())
        self.register_buffer("n_seen", torch.tensor(0))

    def loss(self, batch, generator):
        self.n_seen += len(batch)
        return super().loss(batch, generator)

    def end_epoch(self):
        told = {"n_seen": float(self.n_seen)}
        self.n_seen.zero_()
        return {**super().end_epoch(), **told}


class Moody(Toy):
    """Tells some parts of its losses now and then only."""

    def __init__(self):
        super().__init__()
        self.load_state_dict(new_toy().state_dict())

    def loss(self, batch, generator):
        found = super().loss(batch, generator)
        large = batch.inputs[:, 0] > 0.8
        more = {"large": batch.inputs[large].mean()} if large.any() else {}
        return Losses(found.total, {**found.parts, **more})


class Drifting(Toy):
    """Has a running mean that each rank moves by its own data."""

    def __init__(self):
        super().__init__()
        self.load_state_dict(new_toy().state_dict())
        self.register_buffer("mean", torch.tensor(0.0))

    def loss(self, batch, generator):
        self.mean.lerp_(batch.inputs.mean(), 0.1)
        return super().loss(batch, generator)


OFTEN = replace(SETTINGS, checkpoint_every_s=0.0)
SCENES = {
    "plain": lambda folder: train(new_toy(), ToySupply(), SETTINGS, folder),
    "uneven": lambda folder: train(Counting(), Uneven(), SETTINGS, folder),
    "moody": lambda folder: train(Moody(), ToySupply(), SETTINGS, folder),
    "images": lambda folder: train(images(), ImageSupply(), image_settings(), folder),
    "patient": lambda folder: train(
        new_toy(),
        Watched(ToySupply(), Uneven()),
        replace(SETTINGS, phases={"experts": PATIENT}),
        folder,
    ),
    "drifting": lambda folder: train(Drifting(), ToySupply(), OFTEN, folder),
}


class Doomed(Toy):
    """Is killed, by a signal that nothing handles, in the loss of some step of some rank."""

    def __init__(self, calls=None):
        super().__init__()
        self.load_state_dict(new_toy().state_dict())
        self.calls = calls

    def loss(self, batch, generator):
        found = super().loss(batch, generator)
        if self.calls is not None:
            self.calls -= 1
            if self.calls < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return found


for kind in (Counting, Moody, Drifting, Doomed):
    kind.__module__, kind.__qualname__ = "toy", "Toy"


def environment(rank, n_ranks, meeting):
    """What tells a process which rank it is, as torchrun does."""
    told = {"RANK": rank, "WORLD_SIZE": n_ranks, "LOCAL_RANK": rank, MEETING: meeting}
    return {name: str(value) for name, value in told.items()} | {"GLOO_SOCKET_IFNAME": "lo"}


def forked(n_ranks, meeting, work):
    """How each of so many ranks ended, forked off here, that did `work`: exit codes, -9 if killed.

    Nothing of torch is imported anew: starting ranks costs milliseconds.
    """
    meeting.unlink(missing_ok=True)
    workers = []
    for rank in range(n_ranks):
        worker = os.fork()
        if not worker:
            code = 1
            try:
                os.environ.update(environment(rank, n_ranks, meeting))
                work(rank)
                code = 0
            except DiarizeError as error:
                code = error.exit_code
            finally:
                os._exit(code)
        workers.append(worker)
    return [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]


def scenes(folder, names):
    """Do the trainings named, in a folder each; what was returned goes to a file of the rank."""
    with met_ranks() as ranks:
        for name in names:
            try:
                trained = SCENES[name](folder / name)
                told = {"steps": trained.steps, "losses": trained.losses}
            except DiarizeError as error:
                told = {"error": str(error)}
            ranks.wait()
            (folder / name / f"returned{ranks.rank}.json").write_text(json.dumps(told))


def killed(folder, n_ranks):
    """Train to the end in "whole"; and in "killed", where it is killed five times in a row.

    Every other time it has left a checkpoint after each step, and else none since it began.
    """
    long = {"experts": replace(PHASES["experts"], epochs=16)}
    settings = replace(SETTINGS, phases=long, checkpoint_every_s=0.0)
    meeting, told = folder / "meeting", []
    forked(n_ranks, meeting, lambda _: train(Doomed(), ToySupply(), settings, folder / "whole"))
    for seed in range(6):
        chance = random.Random(seed)
        victim = chance.randrange(n_ranks) if seed < 5 else None
        calls = chance.randrange(4, 20)
        seldom = replace(settings, checkpoint_every_s=0.0 if seed % 2 == 0 else 60.0)
        codes = forked(
            n_ranks,
            meeting,
            lambda rank, victim=victim, calls=calls, how=seldom: train(
                Doomed(calls if rank == victim else None),
                ToySupply(),
                how,
                folder / "killed",
            ),
        )
        place = folder / "killed" / "checkpoint.safetensors"
        steps = read_tensors(place).facts["position"]["steps"] if place.exists() else 0
        told.append({"codes": codes, "victim": victim, "steps": steps})
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    models.MODELS = {"toy": "toy:Toy"}  # of this process, not of the tests that import this file
    what, folder, n_ranks, *names = sys.argv[1:]
    torch.set_num_threads(1)
    if what == "killed":
        killed(Path(folder), int(n_ranks))
    else:
        place = Path(folder)
        codes = forked(int(n_ranks), place / "meeting", lambda _: scenes(place, names))
        sys.exit(max(codes))
