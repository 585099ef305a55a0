"""Components get the name of an instrument only where that is probable enough."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from diarize.cli import main
from diarize.config import build
from diarize.corpora.batch import Songs
from diarize.corpora.instruments import SOURCES
from diarize.errors import BadCall, BadFile
from diarize.formats.tracks import Tracks, save_tracks
from diarize.inference import sound_distance
from diarize.inference.component_names import load_classifier, name_components, sounding_windows
from diarize.inference.name_scores import name_scores
from diarize.inference.name_temperature import calibrated, cost, fitted_temperature
from diarize.inference.sound_distance import sound_distances
from diarize.models.baselines.instrument_classifier import (
    InstrumentClassifier,
    InstrumentClassifierSettings,
)
from diarize.training.shipped import describe, ship

RATE_HZ = 8000
SMALL = {
    **{"sources": ["low", "high"], "rate_hz": RATE_HZ, "window_s": 0.5, "n_fft": 256, "hop": 128},
    **{"n_mels": 16, "widths": [8, 8], "n_hidden": 8, "mixed": 0.3},
}


def tone(hz, seconds=3.0, level=0.1, rate_hz=RATE_HZ):
    at_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * hz * at_s))[None].astype(np.float32)


@pytest.fixture(scope="module")
def judge():
    """A classifier that learned low tones from high ones."""
    torch.manual_seed(0)
    made = InstrumentClassifier(build(InstrumentClassifierSettings, SMALL, "here"))
    made.begin("instruments")
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    chance = np.random.default_rng(0)
    for step in range(80):
        rows = [
            [tone(chance.uniform(*pitch), 0.5)[0] for pitch in ((100, 400), (1000, 3000))]
            for _ in range(8)
        ]
        stems = torch.from_numpy(np.array(rows))
        optimizer.zero_grad()
        batch = Songs(stems.sum(1, keepdim=True), stems=stems)
        made.loss(batch, torch.Generator().manual_seed(step)).total.backward()
        optimizer.step()
    return made.eval()


@pytest.fixture(scope="module")
def weights(judge, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    ship(path, judge.state_dict(), {"model": describe(judge)})
    return path


def song(**components):
    return Tracks(components, RATE_HZ)


def test_a_component_is_called_what_it_is_with_a_probability(judge):
    found = name_components(song(component_1=tone(2000), component_2=tone(200)), judge, 0.7)
    assert [one.label for one in found] == ["high", "low"]
    for one in found:
        assert one.probability > 0.7
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert one.told == f"{one.label} {100 * one.probability:.0f} %"
        assert json.loads(json.dumps(one.facts()))["best"] == one.label


def test_what_is_not_probable_enough_keeps_its_own_name_and_still_tells_its_best(judge):
    (one,) = name_components(song(component_1=tone(200)), judge, 1.0)
    assert (one.label, one.best) == ("component_1", "low")


def test_a_mixture_is_called_by_no_instrument(judge):
    (one,) = name_components(song(component_1=tone(200) + tone(2000)), judge, 0.1)
    assert (one.label, one.best) == ("component_1", None)
    assert one.told.startswith("mixed ")


def test_a_silent_component_is_told_as_silent_and_not_named(judge):
    faint, nothing = tone(2000, level=1e-5), np.zeros((1, 24000), np.float32)
    found = name_components(song(a=tone(200), b=faint, c=nothing), judge, 0.1)
    assert [one.label for one in found] == ["low", "b", "c"]
    assert [one.n_windows for one in found][1:] == [0, 0]
    assert found[1].told == "silent (-80 dB of the mixture)"
    assert found[0].level_db == pytest.approx(0, abs=0.1)
    assert found[1].facts()["probability"] is None


def test_only_windows_near_the_loudest_are_asked(judge):
    samples = tone(200)
    samples[:, RATE_HZ:] *= 0.01  # 40 dB softer after a second
    assert sounding_windows(samples, RATE_HZ, judge).shape == (2, 4000)
    assert sounding_windows(tone(200, 0.1), RATE_HZ, judge).shape == (1, 4000)


def test_stereo_at_another_rate_is_named_too(judge):
    stereo = np.repeat(tone(200, rate_hz=44100), 2, axis=0)
    (one,) = name_components(Tracks({"component_1": stereo}, 44100), judge, 0.6)
    assert one.label == "low"


def test_a_song_without_components_has_no_names(judge):
    assert name_components(Tracks({}, RATE_HZ), judge) == []


def test_a_probability_that_is_none_is_refused(judge):
    with pytest.raises(BadCall, match=r"least_probability = 1\.5"):
        name_components(song(a=tone(200)), judge, 1.5)


def test_weights_of_something_else_are_refused(tmp_path):
    from diarize.models.baselines.digit_classifier import DigitClassifier

    settings = build(DigitClassifier.settings_type, {"side": 4, "channels": [4]}, "here")
    model = DigitClassifier(settings)
    ship(tmp_path / "a.safetensors", model.state_dict(), {"model": describe(model)})
    with pytest.raises(BadFile, match="a DigitClassifier; expected an instrument_classifier"):
        load_classifier(tmp_path / "a.safetensors")


@pytest.fixture
def folders(tmp_path):
    chance = np.random.default_rng(3)
    made = {}
    for name, pitch in (("true", (150, 250)), ("alike", (150, 250)), ("other", (1500, 2500))):
        made[name] = tmp_path / name
        for number in range(4):
            own = {"bass": tone(chance.uniform(*pitch)), "drums": 0 * tone(100)}
            save_tracks(made[name] / f"song{number}", Tracks(own, RATE_HZ))
    return made


def test_other_sounds_are_farther_than_sounds_alike(folders, weights):
    near, far = (
        sound_distances(folders["true"], folders[name], weights).rows for name in ("alike", "other")
    )
    assert [row.stem for row in near] == ["bass", "drums", "all stems"]
    assert far[0].distance > 10 * max(near[0].distance, near[0].halves)
    assert (near[0].n_true, near[0].n_found) == (24, 24)
    assert near[1].n_true == 0
    assert np.isnan(near[1].distance)
    assert near[2].distance == pytest.approx(near[0].distance)


def test_sounds_are_at_no_distance_from_themselves(folders, weights):
    row = sound_distances(folders["true"], folders["true"], weights).rows[0]
    assert row.distance == pytest.approx(0, abs=1e-6)


def test_the_verb_names_the_embedding_and_how_many_windows(folders, weights, monkeypatch, capsys):
    monkeypatch.setattr(sound_distance, "load_classifier", lambda _: load_classifier(weights))
    monkeypatch.setattr(sound_distance, "named_weights", lambda _: weights)
    call = ["score", str(folders["true"]), str(folders["other"]), "--frechet"]
    assert main(call) == 0
    shown = capsys.readouterr().out
    assert "instrument_classifier, hidden layer of 8, weights sha256" in shown
    assert "24" in shown
    assert main([*call, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][1]["distance"] is None
    assert main([*call, "--permute"]) == 2
    assert "--permute with --frechet" in capsys.readouterr().err


def test_silence_has_no_distance(tmp_path, weights):
    for name in ("a", "b"):
        save_tracks(tmp_path / name / "song", Tracks({"bass": 0 * tone(100)}, RATE_HZ))
    with pytest.raises(BadFile, match="no stem that sounds"):
        sound_distances(tmp_path / "a", tmp_path / "b", weights)


def test_names_are_held_to_the_truth(tmp_path, weights):
    """One stem of another sound than its name, one that does not play, one too few to be sure."""
    own = {"low": tone(200), "high": tone(2000)}
    save_tracks(tmp_path / "true" / "a", Tracks(own, RATE_HZ))
    save_tracks(tmp_path / "true" / "b", Tracks({**own, "high": tone(250)}, RATE_HZ))
    save_tracks(tmp_path / "true" / "c", Tracks({**own, "high": 0 * tone(250)}, RATE_HZ))
    score = name_scores(tmp_path / "true", tmp_path / "true", weights, 0.6)
    assert [(one.song, one.truth, one.name.best) for one in score.decisions] == [
        ("a", "high", "high"),
        ("a", "low", "low"),
        ("b", "high", "low"),
        ("b", "low", "low"),
        ("c", "low", "low"),
    ]
    assert (score.n_named, score.n_named_right) == (5, 4)
    assert score.share_right(score.songs) == 0.8
    assert score.windows.n_frames == 30
    sure = np.mean([max(one.name.probabilities.values()) for one in score.decisions])
    assert score.songs.expected_error <= abs(1 - sure) + 0.3


def test_components_without_names_are_put_in_order_before_they_are_named(tmp_path, weights):
    own = {"low": tone(200), "high": tone(2000)}
    save_tracks(tmp_path / "true" / "a", Tracks(own, RATE_HZ))
    components = {"component_1": own["high"], "component_2": own["low"]}
    save_tracks(tmp_path / "made" / "a", Tracks(components, RATE_HZ))
    score = name_scores(tmp_path / "true", tmp_path / "made", weights, 0.6)
    assert (len(score.decisions), score.n_named_right) == (2, 2)


def test_weights_that_ship_know_the_four_instruments_and_noise_bursts_are_drums():
    judge = load_classifier()
    assert judge.classes == (*SOURCES, "mixed")
    rate_hz = judge.rate_hz
    chance = np.random.default_rng(0)
    at_s = np.arange(6 * rate_hz) / rate_hz
    bursts = chance.normal(0, 0.3, len(at_s)) * np.exp(-25 * (at_s % 0.5))
    drums = Tracks({"component_1": bursts[None].astype(np.float32)}, rate_hz)
    assert name_components(drums)[0].best == "drums"


def lying(judge, temperature):
    """The same network, whose probabilities are another temperature's."""
    settings = dataclasses.replace(judge.settings, temperature=temperature)
    other = InstrumentClassifier(settings)
    other.load_state_dict(judge.state_dict())
    return other.eval()


def test_a_temperature_makes_sure_or_unsure_and_changes_no_decision(judge):
    sounds = torch.from_numpy(np.concatenate([tone(180, 0.5), tone(900, 0.5)]))
    told = [lying(judge, at).classify(sounds) for at in (0.5, 1.0, 4.0)]
    assert torch.equal(told[0].argmax(1), told[2].argmax(1))
    tops = [one.max(1).values for one in told]
    assert bool((tops[0] >= tops[1]).all())
    assert bool((tops[1] > tops[2]).all())
    torch.testing.assert_close(told[1], judge.classify(sounds))


def test_the_fitted_temperature_is_the_one_by_which_scores_were_drawn():
    """Scores of two classes, true as often as their softmax at 2.5 says."""
    chance = torch.Generator().manual_seed(0)
    scores = 4 * torch.randn(2000, 1, 2, generator=chance)
    first = (scores[:, 0] / 2.5).softmax(1)[:, 0]
    truths = (torch.rand(2000, generator=chance) > first).long()
    heard = list(zip(scores.unbind(), truths.tolist(), strict=True))
    found = fitted_temperature(heard)
    assert found == pytest.approx(2.5, rel=0.1)
    assert cost(heard, found) < cost(heard, 1.0)


def test_weights_are_packed_with_a_temperature_fitted_to_songs(judge, tmp_path, capsys):
    path = tmp_path / "unsure.safetensors"
    unsure = lying(judge, 6.0)
    ship(path, unsure.state_dict(), {"model": describe(unsure)})
    songs = {"a": {"low": tone(200), "high": tone(2000)}, "b": {"low": tone(300), "other": tone(9)}}
    for name, stems in songs.items():
        save_tracks(tmp_path / "stems" / name, Tracks(stems, RATE_HZ))
    target = tmp_path / "packed.safetensors"
    said = ["--licence", "a", "--data-licence", "b", "--command", "c"]
    call = ["pack", str(path), "-o", str(target), *said, "--calibrate", str(tmp_path / "stems")]
    assert main(call) == 0
    card = json.loads(target.with_suffix(".json").read_text())
    assert card["calibration"]["components"] == 3
    assert card["calibration"]["nats_after"] < card["calibration"]["nats_before"]
    packed = load_classifier(target)
    assert packed.settings.temperature == card["model"]["settings"]["temperature"] < 6.0


def test_songs_without_a_known_stem_cannot_calibrate(weights, tmp_path):
    save_tracks(tmp_path / "stems" / "a", Tracks({"other": tone(200)}, RATE_HZ))
    with pytest.raises(BadFile, match="no stem that plays of low, high"):
        calibrated(weights, tmp_path / "stems")


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(BadFile, match="temperature"):
        build(InstrumentClassifierSettings, {**SMALL, "temperature": temperature}, "here")
