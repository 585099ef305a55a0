import numpy as np
import pytest
import soundfile

from diarize.audio.energy import speech_spans
from diarize.audio.io import RATE_HZ
from diarize.corpora.phrases import CLEAR_DB, NoSpeech, Spoken, Voice, faded, joined


@pytest.fixture
def voice(tmp_path, bursts):
    """One utterance: speech at 0.2-1.2, 1.6-2.0 and 3.0-6.0 s of 7."""
    path = tmp_path / "one.wav"
    soundfile.write(path, bursts([(0.2, 1.2), (1.6, 2.0), (3.0, 6.0)], 7.0), RATE_HZ)
    return Voice([path], np.random.default_rng(0))


def test_a_turn_ends_in_the_pause_nearest_to_its_wanted_length(voice):
    turn = voice.take(1.0)
    assert turn.spans == ((0.05, 1.05),)  # a breath of 50 ms before and after
    assert turn.duration_s == pytest.approx(1.1)


def test_the_next_turn_goes_on_where_the_last_one_ended(voice):
    voice.take(1.0)
    assert voice.take(0.4).spans == ((0.05, 0.45),)


def test_inner_pauses_are_no_speech(voice):
    assert voice.take(1.8).spans == ((0.05, 1.05), (1.45, 1.85))


def test_a_long_phrase_is_cut_for_a_short_turn(voice):
    voice.take(1.8)
    short = voice.take(0.5)
    assert 0.3 < short.duration_s < 0.7
    (start_s, end_s) = short.spans[0]
    assert start_s == 0.05
    assert end_s == pytest.approx(short.duration_s, abs=1e-9)  # cut in speech: no breath after


def test_nothing_is_said_twice_before_all_has_been_said(voice):
    turns = [voice.take(0.4) for _ in range(8)]
    said_s = np.cumsum([sum(end - start for start, end in turn.spans) for turn in turns])
    sounds = [
        turn.samples[1000:1400] for turn, total in zip(turns, said_s, strict=True) if total < 4
    ]
    assert len(sounds) >= 4
    for index, sound in enumerate(sounds):
        for other in sounds[:index]:
            assert abs(np.corrcoef(sound, other)[0, 1]) < 0.3


def test_short_utterances_are_joined_with_pauses_between(tmp_path, bursts):
    for number in range(6):
        soundfile.write(tmp_path / f"{number}.wav", bursts([(0.2, 0.7)], 1.0, number), RATE_HZ)
    turn = Voice(sorted(tmp_path.glob("*.wav")), np.random.default_rng(0)).take(2.0)
    assert len(turn.spans) >= 2
    gaps = [after[0] - before[1] for before, after in zip(turn.spans, turn.spans[1:], strict=False)]
    assert all(0.15 <= gap <= 0.55 for gap in gaps)


def test_the_spans_are_where_the_sound_is(voice):
    for wanted_s in (1.0, 0.6, 2.5, 1.5):
        turn = voice.take(wanted_s)
        padded = np.pad(turn.samples, 1600)
        found = [(start - 0.1, end - 0.1) for start, end in speech_spans(padded, RATE_HZ)]
        np.testing.assert_allclose(found, turn.spans, atol=0.011)


def test_a_noisy_utterance_is_passed_over_and_a_voice_of_only_those_cannot_speak(tmp_path, bursts):
    noisy = bursts([(0.5, 2.0)], 3.0)
    noisy += 0.1 * 10 ** (-(CLEAR_DB - 4) / 20) * np.random.default_rng(5).normal(size=len(noisy))
    soundfile.write(tmp_path / "noisy.wav", noisy, RATE_HZ)
    soundfile.write(tmp_path / "clean.wav", bursts([(0.5, 2.0)], 3.0), RATE_HZ)
    both = Voice([tmp_path / "noisy.wav", tmp_path / "clean.wav"], np.random.default_rng(0))
    assert [len(both.take(1.5).spans) for _ in range(3)] == [1, 1, 1]
    only = Voice([tmp_path / "noisy.wav"], np.random.default_rng(0))
    assert not only.can_speak()
    with pytest.raises(NoSpeech, match=r"noisy\.wav: no clean speech"):
        only.take(1.0)


def test_joined_spans_move_with_their_sound():
    piece = Spoken(np.ones(1600, np.float32), ((0.0, 0.1),))
    pause = Spoken(np.zeros(3200, np.float32), ())
    assert joined([piece, pause, piece]).spans == ((0.0, 0.1), (0.3, 0.4))


def test_a_fade_leaves_the_middle_alone():
    assert faded(np.ones(1000, np.float32))[80:920].tolist() == [1.0] * 840
    assert faded(np.ones(1, np.float32)).tolist() == [1.0]
