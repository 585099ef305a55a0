"""What several rooms share: a conversation made of nothing, and a diarizer loaded once."""

import os

import numpy as np
import pytest

# before torch is loaded, or it counts for nothing: waiting as the command line has it, and one
# thread, for what the tests compute is so small that threads would only wait for one another
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def talk():
    """Twelve seconds of a low and a high synthetic voice, which overlap once."""
    from diarize.corpora.synthetic import synthetic_conversation

    return synthetic_conversation(0, 12.0, "talk")


@pytest.fixture(scope="session")
def diarizer():
    """A diarizer as it comes, with its trained networks."""
    from diarize.errors import MissingWeights
    from diarize.inference.diarize import Diarizer

    try:
        return Diarizer()
    except MissingWeights as missing:
        pytest.skip(str(missing))


@pytest.fixture
def loaded(diarizer, monkeypatch):
    """Every further diarizer of the test takes the networks of that one."""
    from diarize.inference import diarize

    monkeypatch.setattr(diarize, "load_segmentation", lambda path: diarizer._segmentation)
    monkeypatch.setattr(diarize, "load_speaker_network", lambda *_: diarizer._voices)
    return diarizer


@pytest.fixture
def small_mnist(tmp_path):
    """A folder with 40 digits of each class to train on and 20 to test on, each one its own.

    The image of a digit has a bright row at the digit's number, and says in row 20, in binary,
    which image it is: train images from 0, test images from 1000.
    """
    from diarize.corpora.idx import idx_bytes

    folder = tmp_path / "small mnist"
    folder.mkdir()
    for part, n_each, first in (("train", 40, 0), ("t10k", 20, 1000)):
        labels = np.random.default_rng(first).permutation(np.repeat(np.arange(10), n_each))
        images = np.zeros((len(labels), 28, 28), np.uint8)
        images[np.arange(len(labels)), labels] = 255
        numbers = first + np.arange(len(labels))
        images[:, 20] = 255 * (numbers[:, None] >> np.arange(28) & 1)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(labels.astype(np.uint8)))
    return folder
