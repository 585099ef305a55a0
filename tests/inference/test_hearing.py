"""What is kept of a recording for an attributor: spectra, voices around moments, and the rest."""

import numpy as np
import pytest
import torch
from made_heard import N_DIMENSIONS, Pure

from diarize.features.mel import FRAME_SAMPLES, HOP_SAMPLES, kaldi_fbank
from diarize.features.segmentation import (
    FRAME_HOP_SAMPLES,
    HOP_S,
    POWERSET,
    RATE_HZ,
    START_S,
    Segmentation,
    n_segmentation_frames,
)
from diarize.inference import hearing
from diarize.inference.hearing import (
    AROUND_HOP_S,
    AROUND_S,
    LEAST_AROUND_S,
    first_moment,
    hear,
    mel_on_frames,
    voices_around,
)

VOICE_HOP_S = Pure.hop_samples / RATE_HZ
SILENCE = np.log(np.finfo(np.float32).eps)


def noise(n_samples, seed=0):
    return (0.1 * np.random.default_rng(seed).normal(size=n_samples)).astype(np.float32)


def expected_mel(samples, frame):
    """By the definition: the two 10 ms frames whose middles are nearest, by how near they are."""
    middle = START_S * RATE_HZ + (frame + 0.5) * FRAME_HOP_SAMPLES
    number, share = divmod(middle - HOP_SAMPLES / 2, HOP_SAMPLES)
    powers = []
    for one in (number, number + 1):
        start = int(one * HOP_SAMPLES + HOP_SAMPLES / 2 - FRAME_SAMPLES / 2)
        piece = np.zeros(FRAME_SAMPLES, np.float32)
        inside = samples[max(0, start) : max(0, start + FRAME_SAMPLES)]
        piece[max(0, -start) :][: len(inside)] = inside
        powers.append(kaldi_fbank(torch.from_numpy(piece))[0].exp().numpy())
    share = share / HOP_SAMPLES
    return np.log(powers[0] * (1 - share) + powers[1] * share)


@pytest.mark.parametrize("n_samples", [1, 399, 400, 1_000, 16_000, 16_001])
def test_spectra_are_those_at_the_middle_of_each_frame(n_samples):
    samples = noise(n_samples)
    n_frames = -(-n_samples // FRAME_HOP_SAMPLES)
    found = mel_on_frames(samples, n_frames)
    assert found.shape == (n_frames, 80)
    for frame in {0, n_frames // 2, n_frames - 1}:
        np.testing.assert_allclose(found[frame], expected_mel(samples, frame), atol=0.02)


def test_spectra_made_in_pieces_are_the_same(monkeypatch):
    samples = noise(16_000)
    whole = mel_on_frames(samples, 60)
    for size in (1, 7, 59, 60):
        monkeypatch.setattr(hearing, "MEL_PIECE", size)
        np.testing.assert_allclose(mel_on_frames(samples, 60), whole, atol=0.01)


def test_beyond_the_recording_there_is_silence():
    for samples in (np.zeros(0, np.float32), np.zeros(1_000, np.float32), noise(300)):
        found = mel_on_frames(samples, 200)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[10:], SILENCE, atol=0.01)
    assert mel_on_frames(noise(300), 0).shape == (0, 80)


def test_a_tone_is_in_its_band_when_it_sounds():
    samples = np.zeros(32_000, np.float32)
    samples[8_000:24_000] = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / RATE_HZ)
    found = mel_on_frames(samples, 118)
    middle_s = START_S + (np.arange(118) + 0.5) * HOP_S
    sounds = (middle_s > 0.52) & (middle_s < 1.48)
    silent = (middle_s < 0.48) | (middle_s > 1.52)
    assert len(np.unique(found[sounds].argmax(axis=1))) == 1
    assert (found[sounds].max(axis=1) > 0).all()
    np.testing.assert_allclose(found[silent], SILENCE, atol=0.01)


N_NUMBERED = 600  # frames of 20 ms: 12 s


class Numbered(Pure):
    """An embedding says how many frames went into it, the first of them and the last."""

    dimension = 3
    statistic = 1 + 2 * N_NUMBERED

    def embed(self, statistics):
        on = statistics[:, 1 : 1 + N_NUMBERED].float() > 0
        first = on.float().argmax(dim=1)
        last = N_NUMBERED - 1 - on.flip(1).float().argmax(dim=1)
        return torch.stack([statistics[:, 0].float(), first.float(), last.float()], dim=1)


@pytest.fixture
def tried():
    """Embeddings around moments of 12 s of speech but for a pause, and where there is speech."""
    n_frames = N_NUMBERED
    speech = np.ones(round(12 / HOP_S), np.float32)
    speech[round(5 / HOP_S) : round(7 / HOP_S)] = 0.3
    voice = np.zeros((n_frames, n_frames), np.float16)
    voice[np.arange(n_frames), np.arange(n_frames)] = 1
    middle_s = (np.arange(n_frames) + 0.5) * VOICE_HOP_S
    index = ((middle_s - START_S) / HOP_S).astype(int).clip(0, len(speech) - 1)
    return voice, speech, speech[index] > 0.35


def test_a_voice_around_a_moment_is_that_of_the_speech_within_reach(tried):
    voice, speech, on = tried
    found = voices_around(Numbered(), voice, speech)
    first = first_moment(VOICE_HOP_S)
    step = round(AROUND_HOP_S / VOICE_HOP_S)
    assert found.shape == (len(AROUND_S), 1 + (N_NUMBERED - first) // step, 3)
    n_heard = 0
    for size, size_s in enumerate(AROUND_S):
        half = round(size_s / 2 / VOICE_HOP_S)
        for number in range(found.shape[1]):
            moment = first + number * step
            frames = np.flatnonzero(on[max(0, moment - half) : moment + half])
            frames = frames + max(0, moment - half)
            if len(frames) * VOICE_HOP_S < LEAST_AROUND_S:
                assert found[size, number].tolist() == [0, 0, 0]
            else:
                n_heard += 1
                expected = [len(frames), frames[0], frames[-1]]
                assert found[size, number].tolist() == expected
    assert n_heard > 250


@pytest.mark.parametrize("piece", [1, 4, 50])
def test_voices_around_made_in_pieces_are_the_same(tried, monkeypatch, piece):
    voice, speech, _ = tried
    whole = voices_around(Numbered(), voice, speech)
    monkeypatch.setattr(hearing, "AROUND_PIECE", piece)
    np.testing.assert_array_equal(voices_around(Numbered(), voice, speech), whole)


@pytest.mark.parametrize("n_frames", [1, 2, 4, 30])
def test_a_recording_of_a_moment_has_a_moment(n_frames):
    voice = np.ones((n_frames, N_DIMENSIONS), np.float16)
    found = voices_around(Pure(), voice, np.ones(n_frames, np.float32))
    assert found.shape[1] >= 1
    assert bool(found.any()) == (n_frames * VOICE_HOP_S >= LEAST_AROUND_S)


def test_silence_has_no_voice_around():
    voice = np.ones((300, N_DIMENSIONS), np.float16)
    assert not voices_around(Pure(), voice, np.zeros(350, np.float32)).any()


class Loud(Segmentation):
    """Says that the first local speaker talks where there is any sound; its context counts."""

    def context(self, samples):
        n_frames = n_segmentation_frames(samples.shape[1])
        at = torch.round(START_S * RATE_HZ + (torch.arange(n_frames) + 0.5) * FRAME_HOP_SAMPLES)
        hidden = torch.zeros(len(samples), n_frames, 128)
        hidden[..., 0] = samples[:, at.long()]
        return hidden

    def classify(self, context):
        odds = torch.full((*context.shape[:2], len(POWERSET)), -20.0)
        odds[..., 0] = 0.0
        odds[..., 1] = torch.where(context[..., 0] > 0, 20.0, -20.0)
        return odds.log_softmax(-1)


@pytest.fixture(scope="module")
def heard_both():
    """Thirty seconds; voice 1 talks from 2 s to 12 s, voice 3 from 15 s to 20 s."""
    samples = np.full(30 * RATE_HZ, -1.0, np.float32)
    samples[2 * RATE_HZ : 12 * RATE_HZ] = 1
    samples[15 * RATE_HZ : 20 * RATE_HZ] = 3
    told = []
    heard = hear(samples, Loud().eval(), Pure(), progress=lambda *what: told.append(what))
    return heard, told


def test_all_that_is_heard_is_of_one_length(heard_both):
    heard, _ = heard_both
    n_frames = heard.n_frames
    assert 30 - 4 * HOP_S < n_frames * HOP_S <= 30 + HOP_S  # the last few see too little
    assert heard.speech.shape == heard.overlap.shape == (n_frames,)
    assert heard.mel.shape == (n_frames, 80)
    assert heard.local.context.shape == (n_frames, 128)
    assert heard.voice.shape == (30 / VOICE_HOP_S, N_DIMENSIONS)
    assert heard.around.shape == (3, 30 / AROUND_HOP_S, N_DIMENSIONS)
    assert heard.first_around_s == pytest.approx(0.04)


def test_speech_and_the_voices_in_it_are_heard_where_they_are(heard_both):
    heard, _ = heard_both
    middle_s = START_S + (np.arange(heard.n_frames) + 0.5) * HOP_S
    talks = ((middle_s > 2) & (middle_s < 12)) | ((middle_s > 15) & (middle_s < 20))
    assert ((heard.speech > 0.5) == talks).mean() > 0.995
    assert heard.overlap.max() < 1e-3
    moment_s = heard.first_around_s + np.arange(heard.around.shape[1]) * AROUND_HOP_S
    first = (moment_s > 2.8) & (moment_s < 11.2)
    second = (moment_s > 15.8) & (moment_s < 19.2)
    np.testing.assert_allclose(heard.around[:, first, 1], 1)
    np.testing.assert_allclose(heard.around[:, second, 3], 1)
    assert not heard.around[:, (moment_s > 12.8) & (moment_s < 14.2)].any()
    units = heard.voices.units
    talk_s = units.statistic[:, 1:].sum(axis=0) * VOICE_HOP_S
    np.testing.assert_allclose(talk_s[[1, 3]], [10, 5], atol=0.1)


def test_the_level_of_a_recording_is_that_of_its_speech(heard_both):
    heard, _ = heard_both
    loud = heard.speech > 0.5
    expected = heard.mel[loud].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(heard.typical, expected, rtol=1e-5)


def test_without_speech_the_level_is_that_of_all():
    samples = -np.abs(noise(2 * RATE_HZ))
    heard = hear(samples, Loud().eval(), Pure())
    assert heard.speech.max() < 0.5
    expected = heard.mel.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(heard.typical, expected, rtol=1e-5)
    assert len(heard.voices.units.talk_s) == 0


def test_hearing_tells_of_both_networks_and_ends_at_one(heard_both):
    _, told = heard_both
    assert [step for step, _ in told] == sorted(step for step, _ in told)
    for step in ("segmentation", "voices"):
        shares = [share for name, share in told if name == step]
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_what_is_large_is_in_half_precision(heard_both):
    heard, _ = heard_both
    for values in (heard.voice, heard.mel, heard.around, heard.local.context):
        assert values.dtype == np.float16
