"""Trained networks loaded once, real speech where there is some, and a speaker network to count."""

import weakref
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from diarize.errors import MissingWeights
from diarize.features.campplus import load_campplus
from diarize.features.segmentation import load_segmentation

RATE_HZ = 16_000
REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def segmentation():
    """The trained segmentation network."""
    try:
        return load_segmentation()
    except MissingWeights as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def campplus():
    """The trained CAM++ network."""
    try:
        return load_campplus()
    except MissingWeights as missing:
        pytest.skip(str(missing))


@pytest.fixture
def real():
    """A function: so many seconds of a file of the real data, from a second on."""

    def read(name, start_s, duration_s):
        path = REAL / name
        if not path.is_file():
            pytest.skip(f"no ../shared/data/{name} beside this checkout")
        first = round(start_s * RATE_HZ)
        samples, rate_hz = soundfile.read(path, round(duration_s * RATE_HZ), first, dtype="float32")
        assert rate_hz == RATE_HZ
        return samples

    return read


class CountingNetwork:
    """Its only feature is the number of the frame, which `numbered` audio carries as samples.

    So a statistic says how many frames went into it, and the sum of their numbers.
    """

    dimension = 2
    statistic = 2
    hop_samples = 1600
    reach_samples = 0

    def __init__(self):
        self.n_calls = 0
        self.kept = []

    def frames(self, samples):
        self.n_calls += 1
        numbers = samples.numpy()[:: self.hop_samples][None].copy()
        self.kept.append(weakref.ref(numbers))
        return torch.from_numpy(numbers)

    @property
    def n_kept(self):
        """How many of the pieces it made are still in memory."""
        return sum(piece() is not None for piece in self.kept)

    def summarise(self, frames):
        return torch.tensor([frames.shape[1], frames.sum()])

    def embed(self, statistics):
        return torch.nn.functional.normalize(statistics, dim=1)


@pytest.fixture
def counting():
    return CountingNetwork()


@pytest.fixture
def numbered():
    """A function: audio of so many frames of a network, each sample the number of its frame."""

    def make(n_frames, hop_samples=CountingNetwork.hop_samples):
        return np.repeat(np.arange(n_frames, dtype=np.float32), hop_samples)

    return make
