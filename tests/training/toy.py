"""A model with two phases and a supply, both small; run as a program, it trains in a folder."""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from diarize.corpora.batch import Batch
from diarize.models.contract import Losses
from diarize.training.settings import PhaseSettings, TrainSettings

PHASES = {
    "experts": PhaseSettings(epochs=2, rate=0.02, schedule="cosine", warmup_steps=3),
    "mixtures": PhaseSettings(epochs=2, rate=0.01, clip_norm=1.0, optimizer="adamw"),
}
SETTINGS = TrainSettings(seed=3, phases=PHASES, average_decay=0.9, journal_every=2, threads=1)
LONG = {"experts": replace(PHASES["experts"], epochs=60)}
N_STEPS = 2 * 5 + 2 * 4


@dataclass(frozen=True)
class ToySettings:
    width: int = 3
    name: str | None = None


class Toy(nn.Module):
    """A noisy autoencoder; its scale is set once an epoch from sums over the epoch's batches."""

    settings_type = ToySettings
    phases = ("experts", "mixtures", "refine")

    def __init__(self, settings=ToySettings()):
        super().__init__()
        self.settings = settings
        # no bias before the norm: it would do nothing, and Adam would blow its rounding up
        self.encoder = nn.Sequential(
            nn.Linear(4, settings.width, bias=False), nn.BatchNorm1d(settings.width)
        )
        self.decoder = nn.Linear(settings.width, 4)
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("sums", torch.zeros(2, dtype=torch.float64))
        self.seen = []

    def begin(self, phase):
        self.train()
        self.decoder.requires_grad_(phase != "mixtures")

    def loss(self, batch, generator):
        hidden = self.encoder(batch.inputs)
        noise = torch.randn(hidden.shape, generator=generator)
        error = (self.decoder(hidden + 0.1 * noise) - batch.inputs).abs().mean()
        labels = torch.zeros(1) if batch.labels is None else batch.labels.float()
        self.sums += len(batch) * torch.stack([error.detach().double(), torch.ones(()).double()])
        return Losses(error / self.scale, {"error": error.detach(), "label": labels.mean()})

    def end_epoch(self):
        self.scale.copy_(0.5 + self.sums[0] / self.sums[1])
        self.sums.zero_()
        return {"b": float(self.scale)}


class ToySupply:
    def n_batches(self, phase):
        return {"experts": 5, "mixtures": 4, "refine": 0}[phase]

    def epoch(self, phase, epoch, start=0):
        for step in range(start, self.n_batches(phase)):
            generator = torch.Generator().manual_seed(1000 * len(phase) + 100 * epoch + step)
            inputs = torch.rand(6, 4, generator=generator)
            yield Batch(inputs, torch.arange(6) if phase == "experts" else None)


def new_toy(settings=ToySettings(), seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Toy(settings)


class SlowSupply(ToySupply):
    """Leaves time to be killed in."""

    def epoch(self, phase, epoch, start=0):
        for batch in super().epoch(phase, epoch, start):
            time.sleep(0.01)
            yield batch


if __name__ == "__main__":
    from diarize import models
    from diarize.training.loop import train

    models.MODELS = {"toy": "__main__:Toy"}
    settings = replace(SETTINGS, phases=LONG, checkpoint_every_s=0.0)
    train(new_toy(), SlowSupply(), settings, Path(sys.argv[1]))
