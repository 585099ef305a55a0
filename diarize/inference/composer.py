"""Music out of latents of components: from nothing, to go with what is given, or a variation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from diarize.audio.frames import to_samples
from diarize.audio.resample import resample
from diarize.errors import BadCall, BadFile
from diarize.formats.tracks import Tracks
from diarize.models.composable.generate import generate
from diarize.models.composable.model import Composable
from diarize.training.shipped import as_module, load_model
from diarize.weights import named_weights

DEFAULT_MODEL = "composable"
LONGEST_S = 60.0


class Composer:
    """Makes music by a trained composable model with a prior. Loads its model once."""

    def __init__(self, model: Path | str = DEFAULT_MODEL, device: str = "cpu") -> None:
        """The composer of these weights: a file, or a name of weights that ship.

        Raises:
            BadFile: they are of another model, or damaged.
            MissingWeights: they are nowhere.
        """
        path = named_weights(model)
        loaded = as_module(load_model(path))
        if not isinstance(loaded, Composable):
            raise BadFile(f"{path}: a {type(loaded).__name__}; wanted a trained composable model")
        self.model = loaded.to(device)
        self.rate_hz, self.sources = loaded.rate_hz, loaded.sources

    def make(
        self,
        n_pieces: int = 1,
        seconds: float | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
        given: Path | str | None = None,
        strength: float = 1.0,
    ) -> list[Tracks]:
        """Pieces of `seconds`: components, at the model's rate.

        With a file `given`, which takes the place of the component that it is most like, the others
        are drawn to go with it; `strength` below 1 makes variations of what the model hears in it.

        Raises:
            BadCall: no pieces, a length outside 0.1 to 60 s, or no prior in the weights.
            BadFile: what is given cannot be read.
        """
        beginning = None if given is None else self._read(Path(given))
        usual_s = self.model.window_s
        if beginning is not None:
            usual_s = min(LONGEST_S, beginning.shape[2] / self.rate_hz)
        seconds = usual_s if seconds is None else seconds
        if not 0.1 <= seconds <= LONGEST_S:
            raise BadCall(f"{seconds:g} seconds; expected 0.1 to {LONGEST_S:g}")
        generator = torch.Generator().manual_seed(seed)
        made = generate(
            self.model,
            n_pieces,
            to_samples(seconds, self.rate_hz),
            generator,
            given=beginning,
            strength=strength,
            n_steps=steps,
        )
        return [self._tracks(one.numpy()) for one in made.components]

    def _tracks(self, components: Float32[np.ndarray, "source time"]) -> Tracks:
        samples = {name: row[None] for name, row in zip(self.sources, components, strict=True)}
        return Tracks(samples, self.rate_hz)

    def _read(self, path: Path) -> Tensor:
        """The mean of a file's channels, (1, 1, time), at the model's rate."""
        from diarize.inference.separate_input import open_song

        song = open_song(path)
        sound = np.concatenate([block.mean(0) for block in song.blocks])
        return torch.from_numpy(resample(sound, song.rate_hz, self.rate_hz))[None, None].float()
