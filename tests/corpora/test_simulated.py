import dataclasses

import numpy as np
import pytest
import soundfile

from diarize.audio.energy import speech_spans
from diarize.audio.frames import FrameGrid
from diarize.audio.io import RATE_HZ
from diarize.corpora.acoustics import Acoustics
from diarize.corpora.conversation import overlap_share, write_conversations
from diarize.corpora.phrases import Voice
from diarize.corpora.simulated import (
    SimulatedData,
    SimulatedSettings,
    Sources,
    make_simulated,
    read_sources,
    simulate,
    voice_name,
)
from diarize.corpora.speech_table import in_split, split_of
from diarize.corpora.turn_taking import TurnTaking
from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem

DRY = Acoustics(
    level_spread_db=0.0,
    room_probability=0.0,
    telephone_probability=0.0,
    min_snr_db=60.0,
    max_snr_db=60.0,
)
SHORT = SimulatedSettings(split="all", min_s=12.0, max_s=15.0, max_speakers=3, acoustics=DRY)


@pytest.fixture
def sources(speech):
    return read_sources(speech)


def test_the_truth_is_where_the_sound_is(sources):
    conversation = simulate(sources, SHORT, seed=0)
    grid = FrameGrid.over(len(conversation.samples) / RATE_HZ, 0.01)
    timeline = conversation.reference.get_timeline().support()
    true = grid.active((segment.start, segment.end) for segment in timeline)
    heard = grid.active(speech_spans(conversation.samples, RATE_HZ))
    assert np.mean(true == heard) > 0.98


def test_the_same_seed_and_name_give_the_same_samples(sources):
    first = simulate(sources, SHORT, 3, "a")
    again = simulate(sources, SHORT, 3, "a")
    assert first.samples.tobytes() == again.samples.tobytes()
    assert first.reference == again.reference
    for seed, name in ((4, "a"), (3, "b")):
        other = simulate(sources, SHORT, seed, name)
        assert other.samples.tobytes() != first.samples.tobytes()


def test_lengths_speakers_and_overlap_lie_in_their_ranges(sources):
    settings = dataclasses.replace(SHORT, min_s=40.0, max_s=45.0, min_overlap=0.15, max_overlap=0.2)
    for seed in range(2):
        conversation = simulate(sources, settings, seed)
        assert 40 <= len(conversation.samples) / RATE_HZ <= 45
        assert 2 <= len(conversation.reference.labels()) <= 3
        assert 0.1 < overlap_share(conversation.reference) < 0.25
        assert np.abs(conversation.samples).max() <= 0.95 + 1e-6


def test_splits_share_no_speaker(sources):
    settings = {
        split: dataclasses.replace(SHORT, split=split, min_speakers=1, max_speakers=1)
        for split in ("train", "dev", "test")
        if in_split([one.speaker for one in sources.utterances], split)
    }
    for split, one in settings.items():
        for seed in range(2):
            labels = simulate(sources, one, seed).reference.labels()
            assert [split_of(label) for label in labels] == [split]


def test_a_room_noise_and_telephone_change_the_sound_but_not_the_truth(sources, tmp_path, bursts):
    soundfile.write(tmp_path / "room.wav", np.r_[1.0, np.zeros(500), 0.5], RATE_HZ)
    soundfile.write(tmp_path / "noise.wav", bursts([(0.0, 2.0)], 2.0, 99), RATE_HZ)
    sources = Sources(sources.utterances, (tmp_path / "noise.wav",), (tmp_path / "room.wav",))
    wet = Acoustics(
        room_probability=1.0,
        telephone_probability=1.0,
        noise_probability=1.0,
        min_snr_db=5.0,
        max_snr_db=5.0,
    )
    dry = simulate(sources, SHORT, 1)
    noisy = simulate(sources, dataclasses.replace(SHORT, acoustics=wet), 1)
    assert noisy.reference == dry.reference
    assert noisy.facts["noises"] == ["noise.wav"] * 3
    assert noisy.facts["room"] is not None
    quiet = [np.quantile(np.abs(one.samples), 0.2) for one in (dry, noisy)]
    assert quiet[1] > 10 * quiet[0]


def test_too_few_speakers_are_told(sources):
    with pytest.raises(BadCall, match="has 12 speakers with 8 s or more of clean speech; 13 are"):
        simulate(sources, dataclasses.replace(SHORT, min_speakers=13, max_speakers=13), 0)
    with pytest.raises(BadCall, match="has 0 speakers with 60 s"):
        simulate(sources, dataclasses.replace(SHORT, min_speaker_s=60.0), 0)
    with pytest.raises(BadCall, match="0 speakers"):
        simulate(sources, dataclasses.replace(SHORT, collections=("elsewhere",)), 0)


@pytest.mark.parametrize(
    "wrong", [{"min_speakers": 0}, {"max_overlap": 0.5}, {"min_s": 100.0}, {"min_overlap": 0.3}]
)
def test_settings_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(BadCall, match=next(iter(wrong))):
        SimulatedSettings(**wrong)
    with pytest.raises(BadCall, match="speeds"):
        SimulatedSettings(speeds=(1.0, 3.0))
    with pytest.raises(BadCall, match="bridged_s"):
        SimulatedSettings(bridged_s=-1.0)
    with pytest.raises(BadCall, match="room_probability"):
        Acoustics(room_probability=1.5)
    with pytest.raises(BadCall, match="min_snr_db"):
        Acoustics(min_snr_db=30.0, max_snr_db=10.0)


def test_a_folder_of_conversations_can_be_read_back(sources, tmp_path):
    made = [simulate(sources, SHORT, 0, name) for name in ("b", "a")]
    assert write_conversations(iter(made), tmp_path / "out") == 2
    recordings = read_manifest(tmp_path / "out" / "manifest.jsonl")
    references = read_rttm(tmp_path / "out" / "ref.rttm")
    uem = read_uem(tmp_path / "out" / "all.uem")
    assert [one.recording for one in recordings] == ["b", "a"]
    for recording, conversation in zip(recordings, made, strict=True):
        samples, rate_hz = soundfile.read(recording.audio, dtype="float32")
        assert rate_hz == RATE_HZ
        np.testing.assert_allclose(samples, conversation.samples, atol=1e-4)
        name = recording.recording
        assert uem[name].duration() == pytest.approx(recording.duration_s, abs=1e-3)
        read = list(references[name].itersegments())
        for segment, own in zip(read, conversation.reference.itersegments(), strict=True):
            assert (segment.start, segment.end) == pytest.approx((own.start, own.end), abs=1e-6)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "all.uem",
        "audio",
        "facts.jsonl",
        "manifest.jsonl",
        "ref.rttm",
    ]


def test_a_corpus_is_made_once(speech, tmp_path):
    data = SimulatedData(speech=speech, count=2, conversations=SHORT)
    first = make_simulated(tmp_path / "out", data)
    assert (first.n_recordings, first.is_new) == (2, True)
    assert not make_simulated(tmp_path / "out", data).is_new
    (tmp_path / "out" / "audio" / "all_00001.wav").unlink()
    assert make_simulated(tmp_path / "out", data).is_new
    assert make_simulated(tmp_path / "out", dataclasses.replace(data, seed=1)).is_new


def test_a_missing_source_is_told(tmp_path):
    with pytest.raises(BadCall, match="--speech DIR"):
        make_simulated(tmp_path / "out", SimulatedData())
    with pytest.raises(BadFile, match="no such file"):
        make_simulated(tmp_path / "out", SimulatedData(speech=tmp_path))
    assert not (tmp_path / "out").exists()


def test_conversations_of_real_readers_look_like_conversations(real):
    sources = read_sources(real / "speech", real / "noise" / "esc10", real / "noise" / "rir")
    settings = SimulatedSettings(split="dev", collections=("librispeech",), min_speaker_s=12.0)
    conversation = simulate(sources, settings, seed=5)
    turns = [segment.duration for segment in conversation.reference.itersegments()]
    assert 0.4 < np.median(turns) < 3.0
    spoken_s = conversation.reference.get_timeline().support().duration()
    assert 0.6 < spoken_s / (len(conversation.samples) / RATE_HZ) < 0.97


def test_a_speaker_at_another_speed_is_somebody_else_never_beside_himself(sources):
    settings = dataclasses.replace(SHORT, speeds=(0.9, 1.0, 1.1))
    heard = set()
    for seed in range(4):
        names = simulate(sources, settings, seed).reference.labels()
        heard |= set(names)
        people = [name.split("@")[0] for name in names]
        assert len(set(people)) == len(people)
    assert {name.partition("@")[2] for name in heard} == {"", "0.9", "1.1"}
    assert voice_name("ann", 0.9) == "ann@0.9"


def test_a_faster_voice_is_shorter_and_higher_and_its_truth_goes_with_it(tmp_path):
    seconds = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = 0.2 * np.sin(2 * np.pi * 400 * seconds) * (seconds > 0.5) * (seconds < 1.5)
    noise = 1e-4 * np.random.default_rng(0).normal(size=len(tone))
    soundfile.write(tmp_path / "tone.wav", tone + noise, RATE_HZ)
    for speed in (1.0, 1.25):
        voice = Voice([tmp_path / "tone.wav"], np.random.default_rng(0), speed=speed)
        spoken = voice.take(0.9)
        spectrum = np.abs(np.fft.rfft(spoken.samples))
        peak_hz = np.argmax(spectrum) * RATE_HZ / len(spoken.samples)
        assert peak_hz == pytest.approx(400 * speed, abs=3)
        (span,) = spoken.spans
        assert span[1] - span[0] == pytest.approx(1 / speed, abs=0.05)


def test_short_pauses_of_a_speaker_are_speech_where_they_are_bridged(sources):
    tight = simulate(sources, SHORT, 2)
    bridged = simulate(sources, dataclasses.replace(SHORT, bridged_s=1.0), 2)
    assert bridged.samples.tobytes() == tight.samples.tobytes()
    assert bridged.reference == tight.reference.support(1.0)
    assert len(bridged.reference) < len(tight.reference)


def test_the_rate_of_backchannels_follows_the_overlap(sources):
    words = []
    for share in (0.01, 0.3):
        turns = TurnTaking(overlap_share=0.1, backchannels_per_min=20.0, turn_median_s=4.0)
        settings = dataclasses.replace(
            SHORT,
            min_s=60.0,
            max_s=60.0,
            min_overlap=share,
            max_overlap=share,
            backchannels_follow=True,
            turns=turns,
        )
        reference = simulate(sources, settings, 0).reference
        words.append(sum(turn.duration < 0.8 for turn in reference.itersegments()))
    assert words[1] > 2 * words[0]


def test_in_a_call_nobody_is_heard_beyond_the_telephones_band(sources):
    def high_share(probability):
        acoustics = dataclasses.replace(DRY, call_probability=probability)
        made = simulate(sources, dataclasses.replace(SHORT, acoustics=acoustics), 0, "a")
        power = np.square(np.abs(np.fft.rfft(made.samples)))
        frequency_hz = np.fft.rfftfreq(len(made.samples), 1 / RATE_HZ)
        return power[frequency_hz > 5000].sum() / power.sum(), made

    share, call = high_share(1.0)
    assert share < 1e-3 < high_share(0.0)[0]
    assert call.facts["call"]
    assert call.facts["telephones"] == len(call.facts["speakers"])


def test_a_microphones_colour_leaves_the_turns_as_they_are(sources):
    coloured = dataclasses.replace(
        SHORT, acoustics=dataclasses.replace(DRY, colour_db=6.0, level_spread_db=0.0)
    )
    first, second = simulate(sources, SHORT, 0, "a"), simulate(sources, coloured, 0, "a")
    assert first.reference == second.reference
    assert np.corrcoef(first.samples, second.samples)[0, 1] < 0.98
    with pytest.raises(BadCall, match="colour_db"):
        Acoustics(colour_db=-1.0)
