"""What several rooms share: a conversation made of nothing, and a diarizer loaded once."""

import os

import pytest

# as the command line has it; before torch is loaded, or it counts for nothing
os.environ.setdefault("GOMP_SPINCOUNT", "2000")


@pytest.fixture(scope="session")
def talk():
    """Twelve seconds of a low and a high synthetic voice, which overlap once."""
    from diarize.corpora.synthetic import synthetic_conversation

    return synthetic_conversation(0, 12.0, "talk")


@pytest.fixture(scope="session")
def diarizer():
    """A diarizer as it comes, with its trained networks."""
    import torch

    from diarize.errors import MissingWeights
    from diarize.inference.diarize import Diarizer

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # seconds of sound gain little from more, and lose on a busy machine
    try:
        yield Diarizer()
    except MissingWeights as missing:
        pytest.skip(str(missing))
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def loaded(diarizer, monkeypatch):
    """Every further diarizer of the test takes the networks of that one."""
    from diarize.inference import diarize

    monkeypatch.setattr(diarize, "load_segmentation", lambda path: diarizer._segmentation)
    monkeypatch.setattr(diarize, "load_speaker_network", lambda *_: diarizer._voices)
    return diarizer
