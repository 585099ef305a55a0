"""Mixtures of some of the sources: what is trained on, and what is tested on."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from diarize.config import load
from diarize.corpora import stem_sets
from diarize.corpora.stem_settings import NO_REMIX, Remix, StemSettings
from diarize.corpora.stem_supply import StemSupply
from diarize.corpora.stems import prepare_stems
from diarize.errors import BadCall, BadFile
from diarize.formats.rttm import read_rttm
from diarize.formats.tracks import save_samples

RATE_HZ, SECONDS = 8000, 4
PARTS = {"train": ("A", "B"), "test": ("C", "D")}


@pytest.fixture
def data(tmp_path):
    """Bass throughout, drums of half the level in the first half, no piano but in B and C."""
    rng = np.random.default_rng(0)
    for part, songs in PARTS.items():
        for song in songs:
            rows = {
                name: 0.1 * rng.standard_normal((1, RATE_HZ * SECONDS)).astype(np.float32)
                for name in ("bass", "drums", "guitar", "piano")
            }
            rows["drums"][:, rows["drums"].shape[1] // 2 :] = 0.0005
            if song in "AD":
                rows["piano"][:] = 0
            for name, samples in rows.items():
                save_samples(tmp_path / "stems" / part / song / f"{name}.wav", samples, RATE_HZ)
    songs = {part: {"songs": list(names)} for part, names in PARTS.items()}
    (tmp_path / "stems" / "songs.json").write_text(json.dumps({"parts": songs}))
    return tmp_path


def settings(*sources, **more):
    own = {"sources": sources, "rate_hz": RATE_HZ, "window_s": 0.5, "batch": 4, "n_batches": 5}
    return StemSettings(**(own | more))


def test_batches_hold_the_named_sources_in_their_order_and_their_sum(data):
    both = StemSupply(data, settings("drums", "bass", remix=NO_REMIX))
    all_four = StemSupply(data, settings(remix=NO_REMIX))
    for some, every in zip(both.epoch("a", 0), all_four.epoch("a", 0), strict=True):
        assert some.stems.shape == (4, 2, 4000)
        assert torch.equal(some.stems, every.stems[:, [1, 0]])
        assert torch.equal(some.inputs, some.stems.sum(1, keepdim=True))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_every_source_of_every_window_reaches_the_level_that_is_set(data, share):
    quiet = settings(
        "drums", "piano", least_active=2, remix=Remix(share, 0.5, 0.0, 0.0, False, 0.0)
    )
    loud = settings(
        "drums",
        "piano",
        least_active=2,
        sounding_rms=0.05,
        remix=Remix(share, 0.5, 0.0, 0.0, False, 0.0),
    )
    levels = {
        kind: torch.cat([one.stems.square().mean(2).sqrt() for one in supply.epoch("a", 0)])
        for kind, supply in (("quiet", StemSupply(data, quiet)), ("loud", StemSupply(data, loud)))
    }
    assert levels["quiet"].min() < 0.001
    assert levels["loud"].min() >= 0.05


def test_sources_that_never_sound_together_are_told_and_not_searched_for_ever(data):
    supply = StemSupply(data, settings("drums", "bass", least_active=2, sounding_rms=0.5))
    with pytest.raises(BadFile, match=r"1000 windows of 0\.5 s.*2 of drums, bass reach"):
        next(supply.epoch("a", 0))


def test_a_set_of_two_sources_has_its_own_folder_with_all_that_a_test_needs(data):
    own = settings("drums", "piano", sounding_rms=0.01)
    for song in ("C", "D"):
        stem_sets.save_test_song(data, "test", song, own)
    place = data / "drums_piano"
    found = sorted(str(path.relative_to(place)) for path in place.rglob("*.*"))
    assert found == [
        "activity/test/C.rttm",
        "mixtures/test/C.wav",
        "stems/test/C/drums.wav",
        "stems/test/C/piano.wav",
    ]  # in D no piano sounds
    mixture, _ = soundfile.read(place / "mixtures/test/C.wav")
    stems = [soundfile.read(data / f"stems/test/C/{one}.wav")[0] for one in ("drums", "piano")]
    np.testing.assert_array_equal(mixture, sum(stems))
    turns = read_rttm(place / "activity/test/C.rttm")["C"]
    assert turns.label_duration("drums") == pytest.approx(2.0, abs=0.06)


def test_an_excerpt_is_the_first_seconds_in_which_all_sources_sound_most(tmp_path):
    """Five windows of 7 s, of which drums sound in the second, third and fifth."""
    n_samples, size = 35 * RATE_HZ, 7 * RATE_HZ
    bass = np.full((1, n_samples), 0.1, np.float32)
    drums = np.arange(n_samples, dtype=np.float32)[None] / n_samples / 2 + 0.1
    for silent in (0, 3):
        drums[:, silent * size : (silent + 1) * size] = 0
    for name, samples in (("bass", bass), ("drums", drums)):
        save_samples(tmp_path / "stems/test/A" / f"{name}.wav", samples, RATE_HZ)
    own = settings("drums", "bass", sounding_rms=0.01, excerpt_s=20.0)
    stem_sets.save_test_song(tmp_path, "test", "A", own)
    true, _ = soundfile.read(tmp_path / "stems/test/A/drums.wav")
    cut, _ = soundfile.read(tmp_path / "drums_bass/stems/test/A/drums.wav")
    mixture, _ = soundfile.read(tmp_path / "drums_bass/mixtures/test/A.wav")
    assert len(mixture) == 2 * size  # whole windows
    np.testing.assert_array_equal(cut, true[size : 3 * size])


def test_where_links_cannot_be_made_stems_are_copied(data, monkeypatch):
    def refused(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refused)
    stem_sets.save_test_song(data, "test", "C", settings("drums", "bass"))
    copied = (data / "drums_bass/stems/test/C/bass.wav").read_bytes()
    assert copied == (data / "stems/test/C/bass.wav").read_bytes()


def test_all_sources_need_no_folder_of_their_own(data):
    own = settings("piano", "drums", "guitar", "bass")
    stem_sets.save_test_song(data, "test", "C", own)
    assert own.choice == ""
    assert (data / "mixtures/test/C.wav").is_file()


def test_what_is_prepared_is_the_same_for_every_choice_of_sources(data):
    kept = settings(parts=("test",), songs=data).prepared()
    assert settings("drums", "bass", parts=("test",), songs=data).prepared() == kept


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            {"sources": ("drums", "flute")},
            "sources = .*expected some of bass, drums, guitar",
        ),
        ({"sources": ("drums", "drums")}, "each once"),
        ({"sources": ("drums", "vocals"), "layout": "slakh"}, "vocals"),
        ({"sources": ("drums", "bass"), "least_active": 3}, "least_active = 3; expected 0 to 2"),
        ({"sounding_rms": 1.0}, "sounding_rms = 1.0"),
        ({"excerpt_s": 1.0}, "excerpt_s = 1.0; expected 0, or 7 seconds and more"),
    ],
)
def test_choices_that_cannot_be_meant_are_named(wrong, told):
    with pytest.raises(BadCall, match=told):
        StemSettings(**wrong)


def test_songs_of_a_real_layout_are_prepared_once_and_mixed_as_chosen(tmp_path):
    from test_slakh import save_track

    save_track(tmp_path / "test" / "Track00003", rate_hz=22050, seconds=3)
    small = {"parts": ("test",), "least_s": 0.0, "window_s": 0.5}
    path = prepare_stems(tmp_path, StemSettings(**small))
    before = (tmp_path / "stems/test/Track00003/guitar.wav").stat().st_mtime_ns
    assert prepare_stems(tmp_path, StemSettings(**small, sources=("drums", "bass"))) == path
    assert (tmp_path / "stems/test/Track00003/guitar.wav").stat().st_mtime_ns == before
    assert (tmp_path / "drums_bass/mixtures/test/Track00003.wav").is_file()
    assert json.loads(path.read_text())["sources"] == ["bass", "drums", "guitar", "piano"]


@pytest.mark.parametrize(
    ("conf", "choice"),
    [
        ("drums_bass", "drums_bass"),
        ("drums_piano", "drums_piano"),
        ("bass_piano", "bass_piano"),
        ("drums_bass_piano", "drums_bass_piano"),
    ],
)
def test_the_confs_of_the_recipe_want_all_of_their_sources_to_sound(conf, choice):
    path = Path(__file__).parents[2] / "egs" / "slakh" / "conf" / "data" / f"{conf}.toml"
    own = load(StemSettings, path, "data")
    assert own.choice == choice
    assert own.least_active == len(own.sources)
    assert (own.sounding_rms, own.window_s, own.excerpt_s) == (0.01, 7.0, 28.0)
