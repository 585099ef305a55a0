"""The diarizer with the speech MS-VAE: untrained and tiny, on recordings that are hard to bear."""

import json

import numpy as np
import pytest
import torch

from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.inference.attribute import (
    AttributorSettings,
    attribute,
    attribute_cast,
    load_attributor,
)
from diarize.inference.cluster import SpeakerBounds, SpeakerSet, speaker_sets
from diarize.inference.diarize import Diarizer, DiarizerSettings
from diarize.inference.hearing import hear
from diarize.inference.scenes import cast_of, scene
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.model import SpeechMSVAE
from diarize.training.shipped import describe, ship

RATE_HZ = 16_000
SMALL = SpeechSettings(
    trunk_width=16,
    speaker_width=12,
    profile_width=8,
    memory=8,
    n_latents=3,
    n_background=3,
    decoder_width=16,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights that nobody trained."""
    path = tmp_path_factory.mktemp("weights") / "attributor.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SpeechMSVAE(SMALL)
    ship(path, model.state_dict(), {"model": describe(model)})
    return path


@pytest.fixture
def asked(loaded, weights):
    """A function: what the diarizer makes of samples, with these settings."""

    def diarize(samples, num_speakers=None, progress=None, **settings):
        chosen = DiarizerSettings(attributor="msvae", attributor_weights=weights, **settings)
        return Diarizer(chosen)(
            samples, num_speakers, rate_hz=RATE_HZ, recording="x", progress=progress
        )

    return diarize


def check(found, duration_s):
    """A result that every format can hold and every score can be made of."""
    assert found.duration_s == pytest.approx(duration_s)
    posterior = found.posterior.posterior
    assert np.isfinite(posterior).all()
    assert posterior.shape[0] == len(found.speakers)
    assert len(set(found.posterior.speakers)) == len(found.speakers)
    if posterior.size:
        assert posterior.min() >= 0
        assert posterior.max() <= 1 + 1e-5
    for turn, _ in found.annotation.itertracks():
        assert 0 <= turn.start < turn.end <= duration_s + 1e-3
    assert set(found.probability) == set(found.annotation.itertracks())
    for probability in found.probability.values():
        assert 0 <= probability <= 1 + 1e-5
    for speaker in found.speakers:
        assert np.linalg.norm(speaker.embedding) == pytest.approx(1, abs=1e-4)
        assert speaker.speech_s > 0
    assert found.made_with["attributor"] == "msvae"
    told = json.loads(found.to_json())
    assert "NaN" not in found.to_json()
    n_turns = len(found.probability)
    assert len(told["turns"]) == len(found.to_rttm().splitlines()) == n_turns
    counts = found.speaker_counts
    if counts:
        assert sum(counts.values()) == pytest.approx(1)
        assert min(counts.values()) >= 0


def test_a_conversation_is_attributed(asked, talk):
    told = []
    found = asked(talk.samples, progress=lambda *what: told.append(what))
    check(found, 12.0)
    assert {step for step, _ in told} == {"segmentation", "voices", "attribution"}
    for step in ("segmentation", "voices", "attribution"):
        shares = [share for name, share in told if name == step]
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_the_same_twice_is_the_same(asked, talk):
    samples = talk.samples[: 3 * RATE_HZ]
    once = asked(samples)
    assert once.speakers
    assert asked(samples).to_json() == once.to_json()


def test_one_speaker_only(asked, talk):
    found = asked(talk.samples[: 4 * RATE_HZ])
    check(found, 4.0)
    assert found.speaker_counts == {1: 1.0}
    assert len(found.speakers) == 1


def test_less_than_a_second_of_speech(asked, talk):
    samples = np.zeros(3 * RATE_HZ, np.float32)
    samples[RATE_HZ : RATE_HZ + RATE_HZ // 2] = talk.samples[2 * RATE_HZ :][: RATE_HZ // 2]
    found = asked(samples)
    check(found, 3.0)
    (speaker,) = found.speakers
    assert speaker.speech_s < 1


@pytest.mark.parametrize("duration_s", [1 / RATE_HZ, 0.02, 0.05, 3.0])
@pytest.mark.parametrize("num_speakers", [None, 2])
def test_silence_of_any_length_is_nobody(asked, duration_s, num_speakers):
    found = asked(np.zeros(round(duration_s * RATE_HZ), np.float32), num_speakers)
    check(found, duration_s)
    assert (found.to_rttm(), found.speakers) == ("", ())


def test_thirty_speakers_asked_for_in_ten_seconds(asked, talk):
    found = asked(talk.samples[: 10 * RATE_HZ], num_speakers=30)
    check(found, 10.0)
    (number,) = found.speaker_counts  # as many as could be told apart, and no other number
    assert 2 <= number <= 30
    assert found.speaker_counts == {number: 1.0}
    assert len(found.speakers) <= number


def test_one_speaker_asked_for(asked, talk):
    found = asked(talk.samples[: 8 * RATE_HZ], num_speakers=1)
    check(found, 8.0)
    assert len(found.speakers) <= 1
    assert found.speaker_counts == {1: 1.0}


@pytest.mark.parametrize("num_speakers", [2, 3])
def test_a_number_that_is_asked_for_is_certain(asked, talk, num_speakers):
    found = asked(talk.samples[: 8 * RATE_HZ], num_speakers)
    assert found.speaker_counts == {num_speakers: 1.0}
    assert len(found.speakers) <= num_speakers


def test_only_numbers_that_may_be_have_a_probability(asked, talk):
    samples = talk.samples[: 8 * RATE_HZ]
    at_least = asked(samples, min_speakers=3).speaker_counts
    at_most = asked(samples, max_speakers=2).speaker_counts
    assert min(at_least) == 3
    assert max(at_most) == 2
    for counts in (at_least, at_most):
        assert sum(counts.values()) == pytest.approx(1)


def music(duration_s):
    """Chords of four voices that tremble, over a drum of noise twice a second."""
    at_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    chance = np.random.default_rng(0)
    found = np.zeros(len(at_s))
    for note, hz in enumerate((220.0, 277.2, 329.6, 440.0)):
        tremble = 1 + 0.004 * np.sin(2 * np.pi * 5.5 * at_s + note)
        phase = 2 * np.pi * np.cumsum(hz * tremble) / RATE_HZ
        for overtone in range(1, 6):
            found += 0.05 / overtone * np.sin(overtone * phase)
    found += 0.1 * chance.normal(size=len(at_s)) * np.exp(-20 * (at_s % 0.5))
    return found.astype(np.float32)


@pytest.mark.parametrize(
    "samples",
    [
        music(5.0),
        np.random.default_rng(0).normal(0, 0.1, 3 * RATE_HZ).astype(np.float32),
        np.sign(np.sin(np.arange(3 * RATE_HZ) * 0.05)).astype(np.float32),  # at full scale
        np.full(3 * RATE_HZ, 0.5, np.float32),
    ],
    ids=["music", "noise", "square wave", "a constant"],
)
def test_what_is_no_speech_gives_a_valid_result(asked, samples):
    check(asked(samples), len(samples) / RATE_HZ)


def test_an_exclusive_result_has_one_speaker_at_a_time(asked, talk):
    found = asked(talk.samples[: 8 * RATE_HZ], exclusive=True, talk_threshold=0.05)
    check(found, 8.0)
    assert len(found.speakers) > 1
    assert found.annotation.get_overlap().duration() == 0


def test_another_detector_silences_what_it_takes_for_no_speech(asked, talk):
    found = asked(talk.samples[: 8 * RATE_HZ], vad="webrtc", talk_threshold=0.05)
    check(found, 8.0)
    assert found.made_with["vad"] == "webrtc"
    silent = asked(np.zeros(2 * RATE_HZ, np.float32), vad="webrtc")
    assert silent.to_rttm() == ""


@pytest.fixture(scope="module")
def model(weights):
    return load_attributor(weights)


@pytest.fixture(scope="module")
def heard(diarizer, talk):
    """Twelve seconds, as the trained networks hear them."""
    return hear(talk.samples, diarizer._segmentation, diarizer._voices)


MODEL_ALONE = {"window_weight": 0.0, "least_speech": 0.0}


def unit(n_voices, seed=0):
    voices = np.random.default_rng(seed).normal(size=(n_voices, 192))
    return (voices / np.linalg.norm(voices, axis=1, keepdims=True)).astype(np.float32)


def test_how_probable_each_number_is_reaches_the_result(asked, diarizer, model, heard, talk):
    sets = speaker_sets(heard.voices.units, diarizer._embed)
    expected = attribute(model, heard, sets, AttributorSettings(), SpeakerBounds())
    assert len(expected.speaker_counts) > 1
    found = asked(talk.samples)
    assert found.speaker_counts == pytest.approx(expected.speaker_counts)
    assert len(found.speakers) <= max(found.speaker_counts, key=found.speaker_counts.get)
    told = json.loads(found.to_json())["speaker_counts"]
    assert {int(number) for number in told} == set(found.speaker_counts)


def test_twins_are_no_trouble(model, heard):
    voice = unit(1)
    near = voice + 0.01 * unit(1, seed=1)
    near /= np.linalg.norm(near)
    one = SpeakerSet(voice, np.array([10.0]), np.array([-1.0]))
    for twins in (np.concatenate([voice, voice]), np.concatenate([voice, near])):
        two = SpeakerSet(twins, np.array([6.0, 4.0]), np.array([-1.0, 0.5]))
        for bounds, numbers in ((SpeakerBounds(), [1, 2]), (SpeakerBounds(2, 2), [2])):
            found = attribute(model, heard, [one, two], AttributorSettings(), bounds)
            assert np.isfinite(found.presence).all()
            assert len(found.cast) == max(found.speaker_counts, key=found.speaker_counts.get)
            assert list(found.speaker_counts) == numbers
            assert sum(found.speaker_counts.values()) == pytest.approx(1)


def test_thirty_voices_who_must_be_there_all_are(model, heard):
    voices = unit(30)
    sets = [
        SpeakerSet(voices[:size], np.full(size, 3.0), np.array([-1.0] + [-0.5] * (size - 1)))
        for size in range(1, 31)
    ]
    settings = AttributorSettings(block_s=5.0, margin_s=1.0)
    found = attribute(model, heard, sets, settings, SpeakerBounds(30, 30))
    assert found.presence.shape == (30, heard.n_frames)
    assert found.speaker_counts == {30: 1.0}


@pytest.mark.parametrize("n_voices", [1, 2, 7, 30])
def test_any_number_of_voices_can_be_tried(model, heard, n_voices):
    cast = cast_of(heard, unit(n_voices), np.full(n_voices, 3.0, np.float32))
    settings = AttributorSettings(block_s=5.0, margin_s=1.0, **MODEL_ALONE)
    found = attribute_cast(model, heard, cast, settings)
    assert found.presence.shape == (n_voices, heard.n_frames)
    assert np.isfinite(found.presence).all()
    assert found.presence.min() >= 0
    assert found.presence.max() <= 1 + 1e-5
    assert found.presence.sum(axis=0).max() <= SMALL.most_together + 1e-4


def test_the_windows_are_blended_in_and_silence_is_cut_out_of_what_the_model_says(model, heard):
    cast = cast_of(heard, heard.voices.local[:2], np.full(2, 3.0, np.float32))
    assert cast.local.max() > 0.5
    alone = attribute_cast(model, heard, cast, AttributorSettings(**MODEL_ALONE)).presence
    least = float(np.quantile(heard.speech, 0.3))
    settings = AttributorSettings(window_weight=0.25, least_speech=least)
    found = attribute_cast(model, heard, cast, settings).presence
    silent = heard.speech < least
    assert 0.2 < silent.mean() < 0.4
    assert not found[:, silent].any()
    blend = 0.75 * alone + 0.25 * cast.local
    np.testing.assert_allclose(found[:, ~silent], blend[:, ~silent], atol=1e-5)


def test_blocks_with_all_they_could_remember_around_them_are_as_one(model, heard):
    cast = cast_of(heard, unit(2), np.full(2, 3.0, np.float32))
    one, several = (
        AttributorSettings(block_s=block_s, margin_s=100.0, **MODEL_ALONE)
        for block_s in (100.0, 4.0)
    )
    whole = attribute_cast(model, heard, cast, one)
    parts = attribute_cast(model, heard, cast, several)
    np.testing.assert_allclose(parts.presence, whole.presence, atol=1e-4)


def test_the_order_of_the_voices_does_not_matter(model, heard):
    voices = unit(3)
    some = cast_of(heard, voices, np.array([5.0, 4.0, 3.0], np.float32))
    turned = cast_of(heard, voices[[2, 0, 1]], np.array([3.0, 5.0, 4.0], np.float32))
    found, other = (
        attribute_cast(model, heard, cast, AttributorSettings()) for cast in (some, turned)
    )
    np.testing.assert_allclose(other.presence, found.presence[[2, 0, 1]], atol=1e-4)


def test_a_voice_that_is_not_finite_is_refused_and_not_spread(model, heard):
    voices = unit(2)
    cast = cast_of(heard, voices, np.full(2, 3.0, np.float32))
    cast.profile[1, 7] = np.nan
    with pytest.raises(BadCall, match="not finite"):
        attribute_cast(model, heard, cast, AttributorSettings())


def test_a_profile_of_another_size_is_refused_in_one_line(model, heard):
    cast = cast_of(heard, unit(1), np.ones(1, np.float32))
    made = scene(heard, cast, 0, 20, 0.5)
    wrong = type(made)(**{**vars(made), "profile": torch.zeros(1, 1, 256)})
    with pytest.raises(BadCall, match="256 values of a profile; this model was made for 192"):
        model.weigh(wrong)


def test_an_attributor_that_does_not_exist_is_refused():
    with pytest.raises(BadCall, match="no attributor 'magic'; there are auto, msvae, cluster"):
        DiarizerSettings(attributor="magic")


def test_the_attributor_that_listens_through_campplus_takes_no_other():
    with pytest.raises(BadCall, match="msvae listens through campplus, not ecapa"):
        DiarizerSettings(attributor="msvae", embedder="ecapa")
    assert DiarizerSettings(attributor="cluster", embedder="ecapa").embedder == "ecapa"


def test_weights_are_looked_for_when_the_diarizer_is_made(loaded, tmp_path):
    settings = DiarizerSettings(attributor="msvae", attributor_weights=tmp_path / "none")
    with pytest.raises(MissingWeights, match="none: no such file"):
        Diarizer(settings)
    (tmp_path / "notes.safetensors").write_text("not weights")
    notes = DiarizerSettings(attributor="msvae", attributor_weights=tmp_path / "notes.safetensors")
    with pytest.raises(BadFile) as error:
        Diarizer(notes)
    assert "\n" not in str(error.value)
