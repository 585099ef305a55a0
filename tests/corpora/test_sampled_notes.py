from pathlib import Path

import numpy as np
import pytest
import soundfile

from diarize.corpora.sampled_notes import cents_off, key_of, sampled_zones
from diarize.errors import BadFile

RATE_HZ = 44100


def sounded(key, cents=0, length_s=1.0, harmonics=8, fundamental=1.0):
    hz = 440 * 2 ** ((key + cents / 100 - 69) / 12)
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    gains = [fundamental, *(1 / number for number in range(2, harmonics + 1))]
    return 0.2 * sum(
        gain * np.sin(2 * np.pi * number * hz * time_s) for number, gain in enumerate(gains, 1)
    )


def save_note(path, key, peak=1.0, silence_s=0.0, **how):
    samples = np.concatenate([np.zeros(round(silence_s * RATE_HZ)), sounded(key, **how)])
    soundfile.write(path, peak * samples, RATE_HZ, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("name", "key"), [("A4.wav", 69), ("C-1.wav", 0), ("Bs3x.wav", 60), ("F#2v10.mp3", 42)]
)
def test_a_file_is_named_by_its_note(name, key):
    assert key_of(Path(name)) == key


def test_a_file_named_by_no_note_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"kick\.wav: no note"):
        sampled_zones([tmp_path / "kick.wav"], 0.3)


def test_notes_play_the_keys_nearest_to_them_and_keep_how_loud_they_are(tmp_path):
    loud, soft = save_note(tmp_path / "A2.wav", 45), save_note(tmp_path / "C2.wav", 36, 0.5)
    low, high = sampled_zones([loud, soft], release_s=0.4)
    assert [(zone.root, zone.keys) for zone in (low, high)] == [(36, (0, 40)), (45, (41, 127))]
    peaks = [float(np.abs(zone.sample.sound).max()) for zone in (low, high)]
    assert peaks == pytest.approx([0.45, 0.9], rel=0.05)
    assert low.envelope.release_s == 0.4
    assert low.sample.name == "C2.wav"


def test_a_note_begins_5_ms_before_it_is_heard_and_lasts_7_s_at_most(tmp_path):
    path = save_note(tmp_path / "A2.wav", 45, silence_s=0.5, length_s=8.0)
    (zone,) = sampled_zones([path], 0.3)
    sound = zone.sample.sound
    assert len(sound) == 7 * RATE_HZ
    assert np.flatnonzero(np.abs(sound) > 0.02 * 0.9)[0] == pytest.approx(220, abs=2)
    assert sound[-1] == 0


@pytest.mark.parametrize("cents", [-36, 0, 20])
def test_cents_off_are_heard_even_of_a_bass_whose_fundamental_is_weak(cents):
    for fundamental in (1.0, 0.05):
        heard = cents_off(sounded(40, cents, 2.0, fundamental=fundamental), RATE_HZ, 40)
        assert heard == pytest.approx(cents, abs=4)


def test_notes_are_tuned_where_that_is_asked_and_the_measurement_can_be_trusted(tmp_path):
    near = save_note(tmp_path / "E2.wav", 40, cents=20, length_s=2.0)
    far = save_note(tmp_path / "E3.wav", 52, cents=60, length_s=2.0)
    assert [zone.cents for zone in sampled_zones([near, far], 0.3, is_tuned=True)] == [-20, 0]
    assert [zone.cents for zone in sampled_zones([near, far], 0.3)] == [0, 0]


def test_silence_and_what_is_no_sound_are_named(tmp_path):
    soundfile.write(tmp_path / "A2.wav", np.zeros(100), RATE_HZ)
    with pytest.raises(BadFile, match=r"A2\.wav: silence"):
        sampled_zones([tmp_path / "A2.wav"], 0.3)
    (tmp_path / "A3.wav").write_bytes(b"no sound")
    with pytest.raises(BadFile, match=r"A3\.wav: cannot be read"):
        sampled_zones([tmp_path / "A3.wav"], 0.3)
    with pytest.raises(BadFile, match="no files of notes"):
        sampled_zones([], 0.3)
