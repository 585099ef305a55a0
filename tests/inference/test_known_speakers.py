"""Two hums learned from a call, and found in a part of it that was kept out; then scored."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from diarize.cli import main
from diarize.config import build
from diarize.corpora.chunk_supply import ChunkSupply
from diarize.corpora.two_channel import read_part
from diarize.corpora.two_speaker_settings import TwoSpeakerSettings
from diarize.corpora.two_speakers import make_two_speakers
from diarize.errors import BadCall, BadFile
from diarize.features.chunks import ChunkSettings
from diarize.features.vad import SpeechActivity
from diarize.formats.text import save_text
from diarize.inference.two_speaker_results import cluster_all, hear_all, score_results
from diarize.inference.two_speakers import (
    KnownSpeakers,
    TwoSpeakerInferSettings,
    given_someone,
    overlap_added,
)
from diarize.training.loop import train
from diarize.training.settings import TrainSettings
from diarize.training.shipped import load_model, new_model, read_card

RATE_HZ = 8_000
MODEL = {
    "n_streams": 2,
    "n_values": 80,
    "n_latents": 2,
    "encoder": "separate",
    "encoder_widths": [32],
    "decoder_widths": [16],
    "noise": "gaussian",
    "posterior": "exact",
    "readout": "weighed",
}
TRAIN = {
    "seed": 1,
    "phases": {
        "experts": {"epochs": 10, "rate": 2e-2},
        "mixtures": {"epochs": 6, "rate": 2e-2},
    },
}
QUICK = TwoSpeakerInferSettings(threshold=0.5, vad="none")


def two_hums(duration_s=60.0):
    """Two who take turns of a second or two, and now and then both: 300 and 1700 Hz."""
    chance = np.random.default_rng(0)
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    channels = 1e-4 * chance.normal(size=(2, len(time_s)))
    at_s, speaker = 0.3, 0
    while at_s < duration_s - 2.5:
        first, last = int(at_s * RATE_HZ), int((at_s + chance.uniform(1, 2)) * RATE_HZ)
        hum = 0.1 * np.sin(2 * np.pi * (300, 1700)[speaker] * time_s[first:last])
        channels[speaker, first:last] += hum
        at_s, speaker = last / RATE_HZ + chance.choice([-0.4, 0.6]), 1 - speaker
    return channels.T


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of data, and weights of a model that learned from its train part."""
    folder = tmp_path_factory.mktemp("two")
    soundfile.write(folder / "call.wav", two_hums(), RATE_HZ, "PCM_16")
    chunks = {"n_fft": 256, "hop": 128, "n_frames": 8, "hop_frames": 4, "edges": "sound"}
    chunks |= {"n_mels": 10, "exponent": 0.5, "level": "kept"}
    table = {"channels": [str(folder / "call.wav")], "duration_s": 15.0, "silence": "heard"}
    table |= {"chunks": chunks, "known_share": 0.5, "expert_batch": 40, "mixture_batch": 60}
    settings = build(TwoSpeakerSettings, table, "test")
    make_two_speakers(folder / "data", settings)
    made = new_model("msvae", MODEL, "test", 1)
    course = build(TrainSettings, TRAIN, "test")
    facts = {"corpus": "two_speakers", "settings": json.loads(json.dumps(table))}
    done = train(made, ChunkSupply(folder / "data", settings), course, folder / "exp", data=facts)
    return folder / "data", done.path


@pytest.fixture(scope="module")
def listener(trained):
    return KnownSpeakers(load_model(trained[1]), read_card(trained[1]), QUICK)


def test_both_are_found_where_they_hum(trained, listener, tmp_path):
    about = hear_all(listener, trained[0], tmp_path / "result", "hums", "0")
    authors, clean = score_results(trained[0], [(None, about.parent)])
    assert (authors.protocol, clean.protocol) == ("authors", "clean")
    assert clean.told == "both speakers (all labels)"
    assert authors.told == "both speakers (all labels), silence"
    assert clean.der.value < 0.15
    assert clean.confusion.value < 0.03
    assert clean.correlation.value > 0.9
    assert authors.missed.value < 0.1


def test_results_that_are_there_are_kept_and_others_taken_away(trained, listener, tmp_path):
    folder = tmp_path / "result"
    hear_all(listener, trained[0], folder, "hums", "0")
    path = folder / "clean" / "call.json"
    made = path.read_text()
    save_text(path, made.replace("SPEAKER", "x") + " ")
    hear_all(listener, trained[0], folder, "hums", "0")
    assert path.read_text() == made + " "
    hear_all(listener, trained[0], folder, "hums", "1")
    assert path.read_text() == made.replace('"weights": "0"', '"weights": "1"')


def test_what_is_called_clustering_is_clustering(trained, tmp_path):
    about = cluster_all(trained[0], tmp_path, QUICK, "clustering")
    made = json.loads((about.parent / "clean" / "call.json").read_text())
    assert made["made_with"]["attributor"] == "cluster"
    assert len(made["speakers"]) <= 2


def test_a_result_that_is_not_finished_is_refused(trained, tmp_path):
    with pytest.raises(BadFile, match="to its end"):
        score_results(trained[0], [(None, tmp_path)])


def test_nobody_is_on_where_silence_is_told(trained, listener):
    recording = read_part(trained[0], listener.data.speakers)[0]
    silent = replace(recording, spans=((), ((0.0, 5.0),)))  # as an oracle might say
    heard = listener.hear(silent, "authors")
    later = heard.activity.posterior[:, round(5.3 / heard.activity.hop_s) :]
    assert later.max() == 0
    assert heard.activity.posterior.max() > QUICK.threshold


def test_frames_of_the_authors_are_one_a_hop_and_those_of_the_clean_protocol_10_ms(
    trained, listener
):
    recording = read_part(trained[0], listener.data.speakers)[0]
    authors, clean = (listener.hear(recording, one) for one in ("authors", "clean"))
    assert authors.activity.n_frames == 15 * RATE_HZ // 128 + 1
    assert authors.activity.hop_s * authors.activity.n_frames == pytest.approx(15)
    assert (clean.activity.n_frames, clean.activity.hop_s) == (1500, 0.01)


def test_a_detector_of_speech_keeps_silence_silent(trained, listener):
    settings = replace(QUICK, vad="webrtc", someone=True)
    deaf = KnownSpeakers(listener.model, read_card(trained[1]), settings)
    deaf._detect = lambda samples: SpeechActivity(np.zeros(len(samples) // 160, np.float32), 0.01)
    recording = read_part(trained[0], listener.data.speakers)[0]
    assert not deaf.hear(recording, "clean").annotation
    deaf._detect = lambda samples: SpeechActivity(np.ones(len(samples) // 160, np.float32), 0.01)
    heard = deaf.hear(recording, "clean").annotation
    assert heard.get_timeline().support().duration() == pytest.approx(15, abs=0.05)


def test_weights_of_something_else_are_refused(trained, listener):
    card = read_card(trained[1]) | {"data": {"corpus": "digits"}}
    with pytest.raises(BadFile, match="not of two known speakers"):
        KnownSpeakers(listener.model, card, QUICK)


def test_a_frame_is_the_mean_of_the_chunks_that_cover_it():
    presence = np.array([[1.0, 0.0, 1.0]])
    assert overlap_added(presence, 17, 8, 33)[0, [0, 8, 16, 20, 30]] == pytest.approx(
        [1, 0.5, 2 / 3, 0.5, 1]
    )
    assert overlap_added(presence, 17, 8, 40).shape == (1, 40)


def test_somebody_talks_where_one_of_two_is_known_to():
    own = np.array([[0.2, 0.9, 0.0], [0.2, 0.0, 0.0]])
    found = given_someone(own)
    # P(1 | 1 or 2) = .2 / (1 - .8 * .8)
    assert found[:, 0] == pytest.approx([0.2 / 0.36] * 2)
    assert found[:, 1] == pytest.approx([1, 0], abs=1e-5)
    assert np.isfinite(found).all()


def test_the_verb_infers_and_scores(trained, tmp_path, capsys):
    data, weights = trained
    conf = tmp_path / "conf.toml"
    conf.write_text('[infer]\nthreshold = 0.5\nvad = "none"\nmean_s = 1.0\n')
    words = ["--model", str(weights), "--data", str(data), "--conf", str(conf)]
    result = str(tmp_path / "result")
    assert main(["speakers", "infer", *words, "-o", result]) == 0
    assert capsys.readouterr().out.strip().endswith("about.json")
    scores = [str(tmp_path / name) for name in ("score.json", "score.md")]
    words = ["--data", str(data), f"hums={result}", "-o", scores[0], "--markdown", scores[1]]
    assert main(["speakers", "score", *words]) == 0
    out = capsys.readouterr().out
    assert out.count("hums") == 2
    assert "whole seconds" in out
    rows = json.loads((tmp_path / "score.json").read_text())
    assert [row["protocol"] for row in rows] == ["authors", "clean"]
    assert (tmp_path / "score.md").read_text().count("| hums") == 2


def test_recordings_of_two_channels_are_cut_by_the_verb_too(tmp_path, capsys):
    soundfile.write(tmp_path / "call.wav", two_hums(40.0), RATE_HZ, "PCM_16")
    (tmp_path / "conf.toml").write_text('[data]\ncorpus = "two_speakers"\nduration_s = 12\n')
    words = ["--channels", str(tmp_path / "call.wav"), "--conf", str(tmp_path / "conf.toml")]
    assert main(["fetch", "two_speakers", *words, "--data", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'data' / 'manifest.jsonl'}\n"
    one = read_part(tmp_path / "data", ("speaker1", "speaker2"))[0]
    assert (one.rate_hz, one.duration_s) == (RATE_HZ, 12.0)


@pytest.mark.parametrize(
    ("changed", "told"), [({"threshold": 2.0}, "threshold = 2"), ({"batch": 0}, "batch = 0")]
)
def test_settings_that_cannot_be_are_refused(changed, told):
    with pytest.raises(BadCall, match=told):
        TwoSpeakerInferSettings(**changed)


def test_chunks_of_other_settings_do_not_fit_the_model(trained, listener):
    card = read_card(trained[1])
    card["data"]["settings"]["chunks"]["n_mels"] = 12
    other = KnownSpeakers(listener.model, card, QUICK)
    assert other.data.chunks == ChunkSettings(
        256, 128, 8, 4, "sound", n_mels=12, exponent=0.5, level="kept"
    )
    recording = read_part(trained[0], listener.data.speakers)[0]
    with pytest.raises(BadCall, match=r"expected \[batch, 80\]"):
        other.hear(recording, "clean")
    assert torch.isfinite(listener.model.scale)
