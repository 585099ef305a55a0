"""Components without names, other rules of windows, and references as a codec has them."""

import json

import numpy as np
import pytest

from diarize.cli import main
from diarize.errors import BadCall, BadFile
from diarize.formats.tracks import Tracks, save_tracks
from diarize.scoring.separation_match import best_order
from diarize.scoring.separation_score import Terms, score_separation
from diarize.scoring.separation_table import json_text, table_text
from diarize.scoring.separation_windows import COMPOSABLE, RULES, Rule, score_windows

RATE_HZ = 1000
NAMES = ("bass", "drums")
SHORT = Rule("short", 1.0, 1.0, 0.01, all_play=True)


def made(seed, seconds=6):
    chance = np.random.default_rng(seed)
    stems = {name: chance.normal(0, 0.1, (1, seconds * RATE_HZ)) for name in NAMES}
    return {name: samples.astype(np.float32) for name, samples in stems.items()}


def save(folder, songs):
    for name, stems in songs.items():
        save_tracks(folder / name, Tracks(stems, RATE_HZ), subtype="float32")
    return folder


@pytest.fixture
def songs():
    return {f"song{number}": made(number) for number in range(3)}


@pytest.fixture
def truth(tmp_path, songs):
    return save(tmp_path / "truth", songs)


@pytest.fixture
def unnamed(tmp_path, songs):
    """Components in another order in every second song, and one too many."""
    components = {}
    for number, (name, stems) in enumerate(songs.items()):
        bass, drums = stems["bass"] + 0.1 * stems["drums"], stems["drums"] + 0.1 * stems["bass"]
        rows = (bass, drums) if number % 2 else (drums, bass)
        noise = np.random.default_rng(9).normal(0, 0.01, bass.shape).astype(np.float32)
        components[name] = {"component_1": rows[0], "component_2": noise, "component_3": rows[1]}
    return save(tmp_path / "unnamed", components)


def test_the_order_of_components_is_found_song_by_song_and_told(truth, unnamed):
    score = score_separation(truth, {"blind": unnamed}, terms=Terms(SHORT, permute=True))
    assert score.permuted == ("blind",)
    for source in NAMES:
        assert score.systems[0].sources[source].si_sdr.value_db == pytest.approx(20, abs=0.5)
        assert score.systems[0].sources[source].si_sar.value_db == pytest.approx(60, abs=5)
    text = table_text(score)
    assert "the truth (an oracle): blind" in text
    assert "SI-SIR" in text
    assert json.loads(json_text(score))["permuted"] == ["blind"]


def test_stems_with_the_true_names_are_never_permuted(tmp_path, truth, songs):
    swapped = {
        name: {"bass": stems["drums"], "drums": stems["bass"]} for name, stems in songs.items()
    }
    folder = save(tmp_path / "swapped", swapped)
    score = score_separation(truth, {"swapped": folder}, terms=Terms(SHORT, permute=True))
    assert score.permuted == ()
    assert score.systems[0].sources["bass"].si_sdr.value_db < -20


def test_without_permute_components_have_no_place(truth, unnamed):
    with pytest.raises(BadFile, match="no bass"):
        score_separation(truth, {"blind": unnamed})


def test_fewer_components_than_sources_are_refused(tmp_path, truth, songs):
    one = {name: {"component_1": sum(stems.values())} for name, stems in songs.items()}
    folder = save(tmp_path / "one", one)
    with pytest.raises(BadFile, match="1 stems, component_1; expected 2 at least"):
        score_separation(truth, {"one": folder}, terms=Terms(permute=True))
    with pytest.raises(BadCall, match="1 components for 2 sources"):
        best_order(np.eye(2), np.ones((1, 2)))


def test_a_source_that_never_plays_decides_nothing():
    sources = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    assert best_order(sources, np.array([[1.0, 2.0, 3.1], [3.0, -1.0, 0.0]])) == (1, 0)


def quantised(samples, rate_hz):
    """A codec of 40 levels."""
    return np.round(samples * 40).astype(np.float32) / 40


def test_the_codec_is_a_ceiling_of_raw_stems_and_a_reference_when_asked(tmp_path, truth, songs):
    coded = {
        name: {one: quantised(own, RATE_HZ) for one, own in stems.items()}
        for name, stems in songs.items()
    }
    folder = save(tmp_path / "coded", coded)
    raw, by_codec = (
        score_separation(truth, {"ours": folder}, terms=Terms(SHORT, False, "toy", quantised, kind))
        for kind in ("raw", "codec")
    )
    assert [one.name for one in raw.systems][-1] == "codec toy"
    assert [one.name for one in by_codec.systems][-1] == "true stems"
    same = [one.sources["all"].si_sdr.value_db for one in (raw.systems[0], raw.systems[-1])]
    assert same[0] == pytest.approx(same[1])
    assert by_codec.systems[0].sources["all"].si_sdr.value_db == 60  # the limit: no difference
    assert by_codec.systems[-1].sources["all"].si_sdr.value_db == pytest.approx(same[0], abs=0.5)
    assert by_codec.reference_sha256 == raw.reference_sha256
    assert "as toy has them" in table_text(by_codec)


def test_the_rule_of_seven_seconds_counts_windows_in_which_all_play():
    stems = np.zeros((2, 28 * RATE_HZ), np.float32)
    stems[0] = 0.1
    stems[1, : 14 * RATE_HZ] = 0.1
    stems[1, 14 * RATE_HZ : 21 * RATE_HZ] = 0.009
    song = score_windows(("a", "b"), stems, stems, RATE_HZ, COMPOSABLE)
    assert (song.n_kept, song.n_left_out) == (2, 2)
    assert RULES["composable"] is COMPOSABLE


def test_a_component_of_an_absent_source_has_its_level_told(tmp_path):
    """Where one source is silent, what is heard in its place 20 dB below the mixture is told."""
    at = np.random.default_rng(0).normal(0, 0.1, (1, 8 * RATE_HZ)).astype(np.float32)
    other = np.random.default_rng(1).normal(0, 0.1, at.shape).astype(np.float32)
    other[:, 4 * RATE_HZ :] = 0
    truth = save(tmp_path / "truth", {"a": {"bass": at, "drums": other}})
    leaky = save(tmp_path / "leaky", {"a": {"bass": at, "drums": other + 0.1 * at}})
    score = score_separation(truth, {"leaky": leaky}, terms=Terms(SHORT))
    drums, bass = (score.systems[0].sources[name] for name in ("drums", "bass"))
    assert drums.n_absent == 4
    assert drums.absent_db == pytest.approx(-20, abs=0.1)
    assert drums.absent_dbfs == pytest.approx(-40, abs=0.5)
    assert bass.n_absent == 0
    assert np.isnan(bass.absent_db)
    assert "in any window without it" in table_text(score)


def test_terms_that_cannot_be_meant_are_named():
    with pytest.raises(BadCall, match="both or none"):
        Terms(codec="toy")
    with pytest.raises(BadCall, match="against = 'codec' without a codec"):
        Terms(against="codec")


def test_the_verb_scores_components_with_a_codec_beside_them(tmp_path, truth, unnamed, capsys):
    call = ["score", str(truth), str(unnamed), "--permute", "--windows", "composable"]
    assert main([*call, "--codec", "stft", "--json", str(tmp_path / "a.json")]) == 0
    shown = capsys.readouterr().out
    assert "codec stft" in shown
    facts = json.loads((tmp_path / "a.json").read_text())
    assert facts["conventions"]["window_s"] == 7.0
    scores = {name: one["scores"]["all"]["si_sdr"] for name, one in facts["systems"].items()}
    assert scores["codec stft"]["value_db"] > 10  # exact but for the top of the band, resampled
    assert scores["mixture"]["value_db"] < 1


def test_weights_of_no_codec_are_refused(truth, unnamed, capsys):
    assert main(["score", str(truth), str(unnamed), "--codec-weights", "x"]) == 2
    assert "--codec-weights without --codec" in capsys.readouterr().err
