"""The diarizer from Python: what goes in, what comes out, and that it is the same each time."""

import dataclasses
import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
import torch
from pyannote.core import Segment, Timeline

import diarize
from diarize.errors import BadCall, BadFile
from diarize.inference.diarize import Diarization, Diarizer, DiarizerSettings

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def heard(diarizer, talk):
    return diarizer(talk.samples, rate_hz=RATE_HZ, recording="talk")


def overlap_s(annotation):
    return float(annotation.get_overlap().duration())


def test_it_can_be_had_from_the_top_of_the_package():
    assert diarize.Diarizer is Diarizer
    assert diarize.Diarization is Diarization


def test_two_voices_in_turn_are_two_speakers_at_about_their_times(heard, talk):
    assert [speaker.name for speaker in heard.speakers] == ["SPEAKER_00", "SPEAKER_01"]
    found, truth = heard.annotation.get_timeline(), talk.reference.get_timeline()
    both = found.support().crop(truth.support()).duration()
    assert both > 0.95 * truth.support().duration()
    assert heard.annotation.argmax(Segment(1.5, 3.5)) == "SPEAKER_00"
    assert heard.annotation.argmax(Segment(6.5, 7.5)) == "SPEAKER_01"
    assert heard.annotation.argmax(Segment(11, 12)) == "SPEAKER_00"


def test_every_part_of_a_result_is_about_the_same_speakers(heard):
    assert heard.duration_s == 12.0
    assert heard.posterior.speakers == tuple(speaker.name for speaker in heard.speakers)
    assert heard.posterior.posterior.shape[0] == 2
    assert 0 <= heard.posterior.posterior.min() <= heard.posterior.posterior.max() <= 1
    turns = set(heard.annotation.itertracks())
    assert set(heard.probability) == turns
    for speaker in heard.speakers:
        assert speaker.speech_s == pytest.approx(heard.annotation.label_duration(speaker.name))
        assert np.linalg.norm(speaker.embedding) == pytest.approx(1, abs=1e-5)


def test_a_result_cannot_be_changed(heard):
    with pytest.raises(dataclasses.FrozenInstanceError):
        heard.recording = "other"


def test_the_same_recording_twice_gives_the_same_bytes(diarizer, talk, heard):
    again = diarizer(talk.samples, rate_hz=RATE_HZ, recording="talk")
    assert again.to_json() == heard.to_json()
    assert again.to_rttm() == heard.to_rttm()


def test_two_threads_at_once_hear_what_one_hears_alone(diarizer, talk, heard):
    def hear(samples):
        return diarizer(samples, rate_hz=RATE_HZ, recording="talk").to_json()

    first_half = talk.samples[: 6 * RATE_HZ]
    alone = hear(first_half)
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(hear, [talk.samples, first_half]))
    assert together == [heard.to_json(), alone]


@pytest.mark.parametrize(
    "shape",
    [
        lambda samples: samples[None],
        lambda samples: np.stack([samples, samples]),
        lambda samples: samples.astype(np.float64),
        torch.from_numpy,
        lambda samples: torch.from_numpy(samples)[None],
    ],
    ids=["(1, time)", "(2, time)", "float64", "tensor", "(1, time) tensor"],
)
def test_arrays_and_tensors_of_any_layout_are_the_same_recording(diarizer, talk, heard, shape):
    found = diarizer(shape(talk.samples), rate_hz=RATE_HZ, recording="talk")
    assert found.to_rttm() == heard.to_rttm()


def test_a_file_is_the_same_recording_as_its_samples(diarizer, talk, heard, tmp_path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, talk.samples, RATE_HZ, subtype="FLOAT")
    assert diarizer(path).to_rttm() == heard.to_rttm()
    assert diarizer(str(path)).to_rttm() == heard.to_rttm()
    with path.open("rb") as stream:
        assert diarizer(stream, recording="talk").to_rttm() == heard.to_rttm()


def test_what_was_done_to_the_audio_is_noted(diarizer):
    samples = np.zeros((2, 8000), dtype=np.float32)
    notes = diarizer(samples, rate_hz=8000).notes
    assert notes[:2] == ("2 channels averaged to one", "8000 Hz resampled to 16000 Hz")


def test_progress_goes_from_step_to_step_and_only_forward(diarizer, talk):
    told = []
    diarizer(talk.samples, rate_hz=RATE_HZ, progress=lambda *what: told.append(what))
    steps = ["segmentation", "voices", "attribution"]
    assert [step for step, _ in told] == sorted((step for step, _ in told), key=steps.index)
    for step in steps:
        shares = [share for name, share in told if name == step]
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_an_error_in_the_listener_of_progress_comes_out(diarizer, talk):
    def refuse(step, share):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        diarizer(talk.samples, rate_hz=RATE_HZ, progress=refuse)


@pytest.mark.parametrize("seconds", [1 / RATE_HZ, 0.001, 0.05, 10.0])
def test_silence_of_any_length_is_nobody(diarizer, seconds):
    samples = np.zeros(round(seconds * RATE_HZ), dtype=np.float32)
    found = diarizer(samples, rate_hz=RATE_HZ)
    assert (found.to_rttm(), found.speakers) == ("", ())
    assert json.loads(found.to_json())["turns"] == []
    assert found.to_csv() == "recording,start_s,end_s,speaker,probability\n"


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_a_number_of_speakers_that_is_asked_for_is_found(diarizer, talk, asked):
    found = diarizer(talk.samples, num_speakers=asked, rate_hz=RATE_HZ)
    assert len(found.speakers) == len(found.annotation.labels()) == asked


def test_the_bounds_of_the_settings_hold(loaded, talk):
    few = Diarizer(DiarizerSettings(max_speakers=1))(talk.samples, rate_hz=RATE_HZ)
    many = Diarizer(DiarizerSettings(min_speakers=3))(talk.samples, rate_hz=RATE_HZ)
    assert (len(few.speakers), len(many.speakers)) == (1, 3)


def test_an_exclusive_result_has_one_speaker_at_a_time(loaded, talk, heard):
    found = Diarizer(DiarizerSettings(exclusive=True))(talk.samples, rate_hz=RATE_HZ)
    assert overlap_s(heard.annotation) > 0.1
    assert overlap_s(found.annotation) == 0
    assert len(found.speakers) == 2


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("vad", ["webrtc", "silero"])
def test_another_detector_decides_on_speech(loaded, talk, vad):
    found = Diarizer(DiarizerSettings(vad=vad))(talk.samples, rate_hz=RATE_HZ)
    assert found.made_with["vad"] == vad
    assert found.annotation.get_timeline().support().duration() > 4
    silent = Diarizer(DiarizerSettings(vad=vad))(np.zeros(32000, np.float32), rate_hz=RATE_HZ)
    assert silent.to_rttm() == ""


def test_regions_cut_turns_and_keep_how_sure_they_are(heard):
    kept = heard.within(Timeline([Segment(2, 3), Segment(2.5, 5)]))
    assert [(one.start, one.end) for one in kept.annotation.itersegments()] == [
        (2, heard.annotation.get_timeline()[0].end),
        (heard.annotation.get_timeline()[1].start, 5),
    ]
    assert set(kept.probability) == set(kept.annotation.itertracks())


def test_json_holds_the_posterior_unless_told_not_to(heard):
    assert "activity" in json.loads(heard.to_json())
    assert "activity" not in json.loads(heard.to_json(with_posterior=False))
    assert heard.to_csv().splitlines()[1].startswith("talk,1.3")


def test_a_notebook_shows_a_table_and_a_picture_and_no_script(heard):
    page = heard._repr_html_()
    assert heard._repr_png_().startswith(b"\x89PNG")
    assert "talk: 2 speakers in 0:12.0" in page
    assert page.count("<tr>") == 3
    assert re.search(r'src="data:image/png;base64,iVBOR[\w+/]+=*"', page)
    assert "<script" not in page
    assert "http" not in page


def test_a_notebook_shows_silence_and_strange_names_too(diarizer):
    silence = np.zeros(16000, dtype=np.float32)
    page = diarizer(silence, rate_hz=RATE_HZ, recording="<b>a&b</b>")._repr_html_()
    assert "&lt;b&gt;a&amp;b&lt;/b&gt;: 0 speakers" in page
    assert "no speech" in page


@pytest.mark.parametrize(
    ("call", "kind", "found"),
    [
        ({"source": np.zeros(16)}, BadCall, "an array of samples needs its rate"),
        ({"source": np.zeros(16), "rate_hz": 0}, BadCall, "sample rate 0 Hz"),
        ({"source": np.zeros((2, 2, 2)), "rate_hz": 16000}, BadCall, "shape (2, 2, 2)"),
        ({"source": np.zeros((900, 2)), "rate_hz": 16000}, BadCall, "expected (time,) or"),
        ({"source": np.zeros(0), "rate_hz": 16000}, BadFile, "no samples"),
        ({"source": np.full(16, np.nan), "rate_hz": 16000}, BadFile, "not a number (NaN"),
        ({"source": "nowhere.wav"}, BadFile, "nowhere.wav: no such file"),
        ({"source": np.zeros(16), "rate_hz": 16000, "num_speakers": 0}, BadCall, "at least 1"),
    ],
)
def test_what_cannot_be_heard_is_refused_in_one_line(diarizer, call, kind, found):
    with pytest.raises(kind) as error:
        diarizer(**call)
    assert found in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"num_speakers": 0}, "it must be at least 1"),
        ({"min_speakers": 3, "max_speakers": 2}, "is more than"),
        ({"num_speakers": 4, "max_speakers": 2}, "lies outside"),
        ({"vad": "magic"}, "no voice activity detector 'magic'"),
        ({"hop_frames": 0}, "hop_frames is 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, found):
    with pytest.raises(BadCall, match=found):
        DiarizerSettings(**settings)


def test_an_embedder_that_does_not_exist_is_refused(diarizer):
    with pytest.raises(BadCall, match="no embedder 'magic'; there are campplus, ecapa"):
        Diarizer(DiarizerSettings(embedder="magic"))


def test_by_default_the_msvae_attributes_wherever_it_can_listen():
    assert DiarizerSettings().attributor_used == "msvae"
    assert DiarizerSettings(embedder="ecapa").attributor_used == "cluster"
    assert DiarizerSettings(attributor="cluster").attributor_used == "cluster"


def test_a_result_says_which_attributor_made_it(diarizer, talk):
    assert diarizer(talk.samples, rate_hz=RATE_HZ).made_with["attributor"] == "msvae"
