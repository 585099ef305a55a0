"""Conversations of two known speakers, and the chunks a model is trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from diarize.corpora.chunk_supply import SILENCE_SCALE, ChunkSupply, talk_in_chunks
from diarize.corpora.speech_table import Utterance
from diarize.corpora.two_channel import TwoChannel, read_part, read_two_channel
from diarize.corpora.two_speaker_settings import TwoSpeakerSettings
from diarize.corpora.two_speakers import make_two_speakers, shared_out
from diarize.errors import BadCall, BadFile
from diarize.features.chunks import ChunkSettings

RATE_HZ = 16_000


def two_tones(duration_s=60.0, seed=0):
    """Two who take turns of about a second: one hums low, the other high."""
    chance = np.random.default_rng(seed)
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    channels = 1e-4 * chance.normal(size=(2, len(time_s)))
    at_s, speaker = 0.3, 0
    while at_s < duration_s - 2:
        first, last = int(at_s * RATE_HZ), int((at_s + chance.uniform(0.8, 1.6)) * RATE_HZ)
        tone = 0.1 * np.sin(2 * np.pi * (300, 1700)[speaker] * time_s[first:last])
        channels[speaker, first:last] += tone
        at_s, speaker = last / RATE_HZ + chance.choice([-0.3, 0.4]), 1 - speaker
    return channels.T


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    path = tmp_path_factory.mktemp("call") / "call.wav"
    soundfile.write(path, two_tones(), RATE_HZ, "PCM_16")
    return path


@pytest.fixture(scope="module")
def made(call, tmp_path_factory):
    settings = TwoSpeakerSettings(channels=(call,), duration_s=15.0, mixture_batch=40)
    folder = tmp_path_factory.mktemp("made")
    make_two_speakers(folder, settings)
    return folder, settings


def of(settings, **changed):
    return replace(settings, **changed)


def test_each_channel_s_speech_is_found_where_it_is(call):
    one = read_two_channel(call)
    low = one.channels[0]
    for start, end in one.spans[0]:
        inside = low[int((start + 0.02) * RATE_HZ) : int((end - 0.02) * RATE_HZ)]
        assert np.sqrt(np.mean(inside**2)) == pytest.approx(0.1 / np.sqrt(2), rel=0.05)
    assert 10 < sum(end - start for start, end in one.spans[0]) < 40


def test_crosstalk_is_not_taken_for_speech(tmp_path):
    channels = two_tones()
    channels[:, 0] += 0.1 * channels[:, 1]  # 20 dB under
    soundfile.write(tmp_path / "leak.wav", channels, RATE_HZ, "PCM_16")
    found = read_two_channel(tmp_path / "leak.wav").spans[0]
    soundfile.write(tmp_path / "clean.wav", two_tones(), RATE_HZ, "PCM_16")
    clean = read_two_channel(tmp_path / "clean.wav").spans[0]
    assert sum(b - a for a, b in found) == pytest.approx(sum(b - a for a, b in clean), rel=0.05)


def test_a_recording_is_cut_into_three_parts_that_share_no_sound(made, call):
    folder, settings = made
    whole = read_two_channel(call)
    test, dev, train = (
        read_part(folder / part, settings.speakers)[0] for part in (".", "dev", "train")
    )
    assert [one.duration_s for one in (test, dev, train)] == [15.0, 7.5, 37.5]
    again = np.concatenate([one.channels for one in (test, dev, train)], axis=1)
    assert np.abs(again - whole.channels).max() < 1e-4
    assert test.spans[0][0] == pytest.approx(whole.spans[0][0], abs=1e-3)


def test_what_was_made_is_not_made_again_and_other_settings_are_refused(made):
    folder, settings = made
    assert not make_two_speakers(folder, settings).is_new
    assert ChunkSupply(folder, of(settings, channels=())).rate_hz == RATE_HZ  # as a call named it
    with pytest.raises(BadFile, match=r"made with duration_s = 15.0, and 14.0 is wanted"):
        ChunkSupply(folder, of(settings, duration_s=14.0))


def test_a_mono_file_is_refused_with_what_to_do(tmp_path):
    soundfile.write(tmp_path / "one.wav", two_tones(20.0)[:, 0], RATE_HZ)
    settings = TwoSpeakerSettings(channels=(tmp_path / "one.wav",))
    with pytest.raises(BadFile, match="1 channels; expected two"):
        make_two_speakers(tmp_path / "data", settings)


def test_without_sound_the_call_says_what_to_name(tmp_path):
    with pytest.raises(BadCall, match=r"--speech DIR .* --channels"):
        make_two_speakers(tmp_path, TwoSpeakerSettings())


def test_no_utterance_is_in_two_parts():
    utterances = [Utterance(Path(f"{n}.wav"), "ann", "set", 10.0) for n in range(20)]
    parts = shared_out(utterances, TwoSpeakerSettings(), "ann")
    assert {part: len(paths) for part, paths in parts.items()} == {"test": 6, "dev": 3, "train": 11}
    assert len({path for paths in parts.values() for path in paths}) == 20


def test_a_speaker_with_too_little_is_refused():
    with pytest.raises(BadFile, match="'ann' has 0 s"):
        shared_out([], TwoSpeakerSettings(), "ann")


def test_the_truth_of_a_chunk_is_that_of_its_middle():
    recording = TwoChannel("a", np.zeros((2, RATE_HZ), np.float32), RATE_HZ, (((0.0, 0.3),), ()))
    talk = talk_in_chunks(recording, ChunkSettings())  # chunks of .256 s, every .128 s
    assert talk.middle[0].tolist() == [True, True, False, False, False, False, False]
    assert talk.share[0, :3] == pytest.approx([1.0, 0.672, 0.172], abs=0.03)
    assert not talk.middle[1].any()


def test_experts_hear_one_speaker_at_a_time(made):
    supply = ChunkSupply(*made)
    batch = next(supply.epoch("experts", 0))
    bands = batch.inputs.view(18, 257, 17).mean(2)
    assert batch.labels.tolist() == [0] * 9 + [1] * 9
    assert (bands[:9].argmax(1) - 300 * 512 / RATE_HZ).abs().max() <= 1
    assert (bands[9:].argmax(1) - 1700 * 512 / RATE_HZ).abs().max() <= 1


def test_a_tenth_of_the_labels_is_the_first_tenth(made):
    folder, settings = made
    everything, tenth = (ChunkSupply(folder, of(settings, labelled_share=s)) for s in (1.0, 0.1))
    for many, few in zip(everything._alone, tenth._alone, strict=True):
        assert few.tolist() == many[: round(0.1 * len(many))].tolist()


def test_batches_hang_on_their_number_alone(made):
    supply = ChunkSupply(made[0], of(made[1], known_share=0.5))
    whole = list(supply.epoch("mixtures", 3))
    assert len(whole) == supply.n_batches("mixtures") > 2
    later = next(supply.epoch("mixtures", 3, start=2))
    assert torch.equal(whole[2].inputs, later.inputs)
    assert not torch.equal(next(supply.epoch("mixtures", 4)).inputs, whole[0].inputs)


def test_silence_is_the_paper_s_noise_where_the_truth_is_told(made):
    folder, settings = made
    told = torch.cat([one.inputs for one in ChunkSupply(folder, settings).epoch("mixtures", 0)])
    size = told.abs().mean(1)
    silent = size < 2 * SILENCE_SCALE
    assert 0.02 < silent.float().mean() < 0.5
    assert size[silent].mean() == pytest.approx(SILENCE_SCALE, rel=0.05)
    heard = ChunkSupply(folder, of(settings, silence="heard"))
    assert min(float(one.inputs.min()) for one in heard.epoch("mixtures", 0)) >= 0


def test_known_mixtures_hold_who_is_said_to_talk(made):
    chunks = ChunkSettings(n_mels=20, n_frames=8, edges="sound", level="kept")
    settings = of(made[1], known_share=0.5, chunks=chunks)
    batch = next(ChunkSupply(made[0], settings).epoch("mixtures", 0))
    assert (batch.patterns[:20] == -1).all()
    known, patterns = batch.inputs[20:].view(20, 20, 8).mean(2), batch.patterns[20:]
    single = {}
    for stream in (0, 1):
        own = known[(patterns[:, stream] == 1) & (patterns.sum(1) == 1)]
        single[stream] = int(own.mean(0).argmax())
    assert single[0] < single[1]
    for stream, band in single.items():
        on = patterns[:, stream] == 1
        assert known[on, band].min() > 10 * known[~on, band].max()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"expert_batch": 3}, "expert_batch = 3"),
        ({"known_by_count": (0.5, 0.1, 0.1)}, "add up to 1"),
        ({"speakers": ("ann", "ann")}, "two different names"),
        ({"labelled_share": 0.0}, "nothing to train on"),
        ({"duration_s": 1.0}, "duration_s = 1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed, told):
    with pytest.raises(BadCall, match=told):
        TwoSpeakerSettings(**changed)
