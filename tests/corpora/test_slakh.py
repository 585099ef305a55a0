import json

import numpy as np
import pytest
import soundfile
import yaml

from diarize.corpora.slakh import size_note, slakh_song, slakh_songs
from diarize.errors import BadFile

BAND = {  # as Slakh2100's own metadata have them
    "S00": ("Guitar", 30),
    "S01": ("Bass", 33),
    "S02": ("Drums", 128),
    "S03": ("Piano", 4),
    "S04": ("Strings (continued)", 48),
    "S05": ("Guitar", 27),
}


def save_track(place, band=BAND, seconds=1.0, rate_hz=44100, unrendered=(), change=None):
    (place / "stems").mkdir(parents=True)
    facts = {
        "UUID": "1a81ae092884234f3264e2f45927f00a",
        "audio_dir": "stems",
        "lmd_midi_dir": "lmd_matched/O/O/X/TROOXTA12903CDD4B3/1a81ae092884234f3264e2f45927f00a.mid",
        "midi_dir": "MIDI",
        "normalization_factor": -13.0,
        "normalized": True,
        "overall_gain": 0.1181,
        "target_peak": -1.0,
        "stems": {},
    }
    for number, (name, (inst_class, program)) in enumerate(band.items()):
        facts["stems"][name] = {
            "audio_rendered": name not in unrendered,
            "inst_class": inst_class,
            "integrated_loudness": -12.9,
            "is_drum": inst_class == "Drums",
            "midi_program_name": "a name",
            "midi_saved": True,
            "plugin_name": "a.nkm",
            "program_num": program,
        }
        if name not in unrendered:
            level = np.full(round(seconds * rate_hz), 2.0 ** -(number + 3))
            soundfile.write(place / "stems" / f"{name}.flac", level, rate_hz)
    if change:
        change(facts["stems"])
    (place / "metadata.yaml").write_text(yaml.safe_dump(facts))
    return place


def test_a_source_is_the_sum_of_its_instruments(tmp_path):
    song = slakh_song(save_track(tmp_path / "Track00001"))
    assert {name: len(files) for name, files in song.files.items()} == {
        "bass": 1,
        "drums": 1,
        "guitar": 2,
        "piano": 1,
    }
    assert (song.rate_hz, song.n_samples, song.n_channels) == (44100, 44100, 1)
    np.testing.assert_array_equal(song.source("guitar"), np.full((1, 44100), 2**-3 + 2**-8))


def test_a_stem_that_was_not_rendered_has_no_file_and_is_silence(tmp_path):
    song = slakh_song(save_track(tmp_path / "Track00001", unrendered=("S03",)))
    assert song.files["piano"] == []
    assert not song.source("piano").any()


def test_program_and_class_may_disagree_and_the_setting_decides(tmp_path):
    band = {"S00": ("Bass", 38), "S01": ("Synth Lead", 30), "S02": ("Drums", 128)}
    place = save_track(tmp_path / "Track00001", band)
    assert len(slakh_song(place, "program_num").files["guitar"]) == 1
    assert len(slakh_song(place, "inst_class").files["guitar"]) == 0


def test_the_splits_are_those_of_the_folders_or_of_the_numbers(tmp_path):
    for split, number in (("train", 1), ("train", 1501), ("omitted", 2), ("test", 1876)):
        save_track(tmp_path / split / f"Track{number:05d}", seconds=0.1)

    def names(split, **options):
        return [song.name for song in slakh_songs(tmp_path, split, **options)]

    assert names("train") == ["Track00001", "Track01501"]
    assert names("train", division="orig") == ["Track00001", "Track00002"]
    assert names("validation", division="orig") == ["Track01501"]
    assert names("test", division="orig") == ["Track01876"]
    with pytest.raises(BadFile, match="no track of the split 'validation'"):
        names("validation")


def test_the_files_of_slakh_utils_split_anew(tmp_path):
    for number in (1, 2, 3):
        save_track(tmp_path / "train" / f"Track{number:05d}", seconds=0.1)
    rules = {
        "Track00001": {"action": None, "source_split": "train"},
        "Track00002": {"action": "omit", "source_split": "train"},
        "Track00003": {"action": "move", "source_split": "train", "destination_split": "test"},
        "Track01900": {"action": None, "source_split": "test"},
    }
    (tmp_path / "redux.json").write_text(json.dumps(rules))

    def names(split):
        return [song.name for song in slakh_songs(tmp_path, split, resplit=tmp_path / "redux.json")]

    assert names("train") == ["Track00001"]
    assert names("test") == ["Track00003"]
    (tmp_path / "redux.json").write_text("[1, 2]")
    with pytest.raises(BadFile, match="no rules to split by"):
        names("train")


def test_a_track_in_two_splits_is_named_where_numbers_decide(tmp_path):
    for split in ("train", "omitted"):
        save_track(tmp_path / split / "Track00001", seconds=0.1)
    with pytest.raises(BadFile, match=r"Track00001: also in train"):
        slakh_songs(tmp_path, "train", division="orig")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda stems: stems["S00"].update(program_num=200), "program_num = 200"),
        (lambda stems: stems["S00"].pop("program_num"), "program_num = None"),
        (lambda stems: stems.update(S09=stems["S00"]), r"S09\.flac: no such file"),
        (lambda stems: stems.clear(), "no file of bass, drums, guitar, piano"),
    ],
)
def test_a_track_that_breaks_a_rule_is_named_with_the_rule(tmp_path, change, named):
    place = save_track(tmp_path / "Track00042", change=change)
    with pytest.raises(BadFile, match=f"Track00042.*{named}"):
        slakh_song(place)


def test_stems_of_different_lengths_or_damaged_ones_are_named(tmp_path):
    place = save_track(tmp_path / "Track00042")
    soundfile.write(place / "stems" / "S03.flac", np.zeros(100), 44100)
    with pytest.raises(BadFile, match=r"Track00042: stems/S03.flac has 100 samples at 44100 Hz"):
        slakh_song(place)
    (place / "stems" / "S03.flac").write_bytes(b"no flac")
    with pytest.raises(BadFile, match=r"Track00042: stems/S03.flac: cannot be read"):
        slakh_song(place)


def test_damaged_metadata_are_named(tmp_path):
    place = save_track(tmp_path / "Track00042")
    for text, named in (("stems: [", "no YAML"), ("a: 1", "no table `stems`"), ("", "no table")):
        (place / "metadata.yaml").write_text(text)
        with pytest.raises(BadFile, match=f"Track00042.*{named}"):
            slakh_song(place)
    (place / "metadata.yaml").unlink()
    with pytest.raises(BadFile, match=r"metadata\.yaml: cannot be read"):
        slakh_song(place)


def test_babyslakh_has_wav_files(tmp_path):
    place = save_track(tmp_path / "Track00001", {"S00": ("Bass", 33)}, rate_hz=16000)
    samples, rate_hz = soundfile.read(place / "stems" / "S00.flac")
    soundfile.write(place / "stems" / "S00.wav", samples, rate_hz)
    (place / "stems" / "S00.flac").unlink()
    assert slakh_song(place).files["bass"] == [place / "stems" / "S00.wav"]


def test_only_a_corpus_of_an_unknown_size_is_noted():
    assert size_note({"train": 1500, "validation": 375, "test": 225}) is None
    assert "1/2/0 tracks" in size_note({"train": 1, "validation": 2})
