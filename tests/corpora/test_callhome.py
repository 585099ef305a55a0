"""Folders of conversations with a speaker a channel; references made, or given."""

import numpy as np
import pytest
import soundfile
from recorded_tree import RATE_HZ, write_rttm, write_sound, write_uem

from diarize.audio.io import read_audio
from diarize.corpora.callhome import CallhomeSettings, fetch_callhome, prepare_callhome
from diarize.errors import BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem

SPANS = {"A": [(0.5, 2.0), (4.0, 5.0)], "B": [(1.5, 3.5)]}


def write_call(path, bursts, spans=SPANS):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = [bursts(spans[side], 6.0, seed) for seed, side in enumerate("AB")]
    soundfile.write(path, np.stack(channels, 1), RATE_HZ, "PCM_16")


@pytest.fixture
def calls(tmp_path, bursts):
    """Two calls in the folders of a corpus, with a speaker a channel."""
    write_call(tmp_path / "corpus" / "devtest" / "en_4065.wav", bursts)
    write_call(tmp_path / "corpus" / "evltest" / "en_4077.flac", bursts)
    return tmp_path


def test_references_are_made_of_the_channels(calls):
    made = prepare_callhome(calls, CallhomeSettings())
    assert (made.n_recordings, made.duration_s) == (2, 12.0)
    assert made.notes == ("references were made of the channels: tight, and no official ones",)
    turns = read_rttm(calls / "ref.rttm")["en_4065"]
    assert turns.labels() == ["en_4065_A", "en_4065_B"]
    for side, spans in SPANS.items():
        found = [(one.start, one.end) for one in turns.label_timeline(f"en_4065_{side}")]
        np.testing.assert_allclose(found, spans, atol=0.03)


def test_the_conversation_is_heard_as_the_mean_of_its_channels(calls):
    made = prepare_callhome(calls, CallhomeSettings())
    entry = read_manifest(made.manifest)[0]
    assert entry.audio == calls / "corpus" / "devtest" / "en_4065.wav"
    heard = read_audio(entry.audio)
    channels, _ = soundfile.read(entry.audio, dtype="float32")
    np.testing.assert_allclose(heard.samples, channels.mean(axis=1), atol=1e-6)


def test_references_may_be_given(calls):
    for name in ("en_4065", "en_4077"):
        write_rttm(calls / "truth" / f"{name}.rttm", name)
    made = prepare_callhome(calls, CallhomeSettings(references=calls / "truth"))
    assert made.notes == ()
    assert read_rttm(calls / "ref.rttm")["en_4077"].labels() == ["a", "b"]


def test_regions_may_be_given(calls):
    write_uem(calls / "test.uem", "en_4065", 1.0, 5.0)
    settings = CallhomeSettings(uem=calls / "test.uem", recordings=("en_4065",))
    prepare_callhome(calls, settings)
    assert read_uem(calls / "all.uem")["en_4065"].extent().start == 1.0
    with pytest.raises(BadFile, match=r"no region of it in any \.uem .*: en_4077"):
        prepare_callhome(calls, CallhomeSettings(uem=calls / "test.uem"))


def test_recordings_may_be_left_out(calls):
    made = prepare_callhome(calls, CallhomeSettings(leave_out=("en_4065",)))
    assert [one.recording for one in read_manifest(made.manifest)] == ["en_4077"]
    with pytest.raises(BadFile, match="recordings names 'en_1'"):
        prepare_callhome(calls, CallhomeSettings(recordings=("en_1",)))


# What is wrong


def test_a_recording_without_two_speaking_channels_is_told_by_id(calls, bursts):
    write_sound(calls / "corpus" / "mono.wav")
    write_call(calls / "corpus" / "half.wav", bursts, {"A": [(1, 2)], "B": []})
    with pytest.raises(BadFile) as told:
        prepare_callhome(calls, CallhomeSettings())
    line = str(told.value)
    assert "2 of 4 recordings cannot be used: no reference can be made of its channels" in line
    assert "half (" in line
    assert "channel 2 is silent" in line
    assert "mono (" in line
    assert "1 channels; expected two" in line


def test_one_channel_is_enough_where_references_are_given(calls):
    write_sound(calls / "corpus" / "mono.wav")
    write_rttm(calls / "truth.rttm", "mono")
    settings = CallhomeSettings(references=calls / "truth.rttm", recordings=("mono",))
    assert prepare_callhome(calls, settings).n_recordings == 1


def test_two_recordings_with_one_id_are_told(calls, bursts):
    write_call(calls / "corpus" / "evltest" / "en_4065.wav", bursts)
    with pytest.raises(BadFile, match=r"two recordings with one id.*: en_4065 \(.*dev.* and .*evl"):
        prepare_callhome(calls, CallhomeSettings())


def test_references_and_audio_must_be_of_the_same_recordings(calls):
    write_rttm(calls / "truth" / "en_4065.rttm", "en_4065")
    write_rttm(calls / "truth" / "en_9999.rttm", "en_9999")
    with pytest.raises(BadFile) as told:
        prepare_callhome(calls, CallhomeSettings(references=calls / "truth"))
    assert "no turns of it in any .rttm" in str(told.value)
    assert "RTTM without audio" in str(told.value)
    assert "en_9999" in str(told.value)


def test_audio_shorter_than_its_reference_is_told(calls):
    write_rttm(calls / "truth.rttm", "en_4065", [(0, 30, "a")])
    settings = CallhomeSettings(references=calls / "truth.rttm", recordings=("en_4065",))
    with pytest.raises(BadFile, match=r"en_4065 \(audio 6\.000 s, reference to 30\.000 s\)"):
        prepare_callhome(calls, settings)


def test_fetching_says_exactly_what_to_put_where(calls, tmp_path):
    assert fetch_callhome(calls, CallhomeSettings()).what == "2 conversations"
    with pytest.raises(BadFile) as told:
        fetch_callhome(tmp_path / "none", CallhomeSettings())
    assert f"{tmp_path}/none/corpus: no conversations" in str(told.value)
    assert "LDC97S42" in str(told.value)
    assert "a speaker a channel" in str(told.value)
