"""Which instrument it is, on sounds made here."""

import numpy as np
import pytest
import torch

from diarize.config import build
from diarize.corpora.batch import Batch, Songs
from diarize.errors import BadCall
from diarize.models.baselines.instrument_classifier import (
    InstrumentClassifier,
    InstrumentClassifierSettings,
    mel_bands,
)

RATE_HZ = 8000
SMALL = {
    **{"sources": ["low", "high"], "rate_hz": RATE_HZ, "window_s": 0.5, "n_fft": 256, "hop": 128},
    **{"n_mels": 16, "widths": [8, 8], "n_hidden": 8},
}


def model(**more):
    torch.manual_seed(0)
    settings = build(InstrumentClassifierSettings, SMALL | more, "here")
    return InstrumentClassifier(settings)


def songs(seed, n=8):
    """Low and high tones of chance pitch; in the first song the high one is silent."""
    chance = np.random.default_rng(seed)
    at_s = np.arange(RATE_HZ // 2) / RATE_HZ
    ranges = ((100, 400), (1000, 3000))
    stems = np.stack(
        [
            [0.1 * np.sin(2 * np.pi * chance.uniform(*pitch) * at_s) for pitch in ranges]
            for _ in range(n)
        ]
    ).astype(np.float32)
    stems[0, 1] = 0
    stems = torch.from_numpy(stems)
    return Songs(stems.sum(1, keepdim=True), stems=stems)


@pytest.fixture(scope="module")
def trained():
    made = model(mixed=0.3)
    made.begin("instruments")
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    for step in range(60):
        optimizer.zero_grad()
        made.loss(songs(step), torch.Generator().manual_seed(step)).total.backward()
        optimizer.step()
    return made.eval()


def test_what_was_never_heard_is_told_apart_at_any_level(trained):
    new = songs(1000).stems
    told = trained.classify(torch.cat([new[:, 0], new[1:, 1]]))
    assert told[:8].argmax(1).tolist() == [0] * 8
    assert told[8:].argmax(1).tolist() == [1] * 7
    torch.testing.assert_close(trained.classify(new[:, 0] * 0.01), told[:8], atol=1e-3, rtol=0)
    torch.testing.assert_close(told.sum(1), torch.ones(15))


def test_both_together_are_told_as_mixed(trained):
    assert trained.classes == ("low", "high", "mixed")
    assert trained.classify(songs(1001).stems[1:].sum(1)).argmax(1).tolist() == [2] * 7


def test_only_stems_that_sound_are_learned_from():
    losses = model().loss(songs(0), torch.Generator().manual_seed(0))
    assert int(losses.n_counted) == 15
    silent = Songs(torch.zeros(2, 1, 4000), stems=torch.zeros(2, 2, 4000))
    losses = model().loss(silent, torch.Generator().manual_seed(0))
    assert (losses.total.item(), int(losses.n_counted)) == (0.0, 0)


def test_a_stem_is_labelled_mixed_where_another_as_loud_was_added():
    made = model(mixed=1.0)
    sounds, labels, known = made.spoiled(songs(0).stems, torch.Generator().manual_seed(0))
    assert known.sum() == 15
    assert labels.tolist() == [0, *[2] * 14]  # the first has nothing to be mixed with
    quiet = model(mixed=0.0, leak_db=-20.0)
    clean, labels, _ = quiet.spoiled(songs(0).stems, torch.Generator().manual_seed(0))
    assert labels.tolist() == [0, *[0, 1] * 7]
    assert clean.square().mean(1).sub(1).abs().max() < 0.05
    assert sounds.square().mean(1)[1:].min() > 1.3


def test_the_embedding_is_the_layer_before_the_last(trained):
    sounds = songs(3).stems[:, 0]
    embedded = trained.embed(sounds)
    assert embedded.shape == (8, 8)
    torch.testing.assert_close(trained.last(embedded).softmax(1), trained.classify(sounds))
    assert trained.embed(sounds[:0]).shape == (0, 8)


def test_every_mel_band_hears_something_and_a_flat_spectrum_is_flat():
    bands = mel_bands(64, 1024, 22050)
    assert bands.shape == (64, 513)
    torch.testing.assert_close(bands.sum(1), torch.ones(64))
    assert bands.argmax(1).diff().min() >= 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sources": ["low"]}, "two names or more"),
        ({"sources": ["low", "mixed"]}, "without 'mixed'"),
        ({"n_mels": 18}, "n_mels = 18.*bands that 4 divides"),
        ({"dropout": 1.0}, "dropout = 1.0"),
        ({"leak_db": 3.0}, "leak_db = 3.0"),
        ({"hop": 0}, "hop = 0; expected 1 or more"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(wrong, told):
    with pytest.raises(ValueError, match=told):
        model(**wrong)


def test_batches_of_other_things_are_refused():
    with pytest.raises(BadCall, match="expected songs in 2 stems"):
        model().loss(Batch(torch.zeros(2, 3)), torch.Generator())
    three = Songs(torch.zeros(1, 1, 10), stems=torch.zeros(1, 3, 10))
    with pytest.raises(BadCall, match=r"\(1, 3, 10\); expected songs in 2 stems"):
        model().loss(three, torch.Generator())
    with pytest.raises(BadCall, match="no phase 'views'"):
        model().begin("views")
