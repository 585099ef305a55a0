import numpy as np
import pytest
import soundfile

from diarize.corpora.musdb18hq import SOURCES, VALIDATION, musdb_songs
from diarize.errors import BadFile


def save_song(place, n_samples=4410, rate_hz=44100, n_channels=2):
    place.mkdir(parents=True)
    for number, name in enumerate((*SOURCES, "mixture")):
        samples = np.full((n_samples, n_channels), (number + 1) / 16)
        soundfile.write(place / f"{name}.wav", samples, rate_hz)
    return place


@pytest.fixture
def musdb(tmp_path):
    for split, name in (
        ("train", "A Classic Education - NightOwl"),
        ("train", "Meaxic - Take A Step"),
        ("test", "Al James - Schoolboy Facination"),
    ):
        save_song(tmp_path / split / name)
    return tmp_path


def test_the_conventional_validation_songs_are_kept_apart(musdb):
    assert len(VALIDATION) == 14
    names = {
        split: [song.name for song in musdb_songs(musdb, split)]
        for split in ("train", "validation", "test")
    }
    assert names == {
        "train": ["A Classic Education - NightOwl"],
        "validation": ["Meaxic - Take A Step"],
        "test": ["Al James - Schoolboy Facination"],
    }


def test_a_song_is_its_four_stems_in_stereo(musdb):
    (song,) = musdb_songs(musdb, "test")
    assert tuple(song.files) == ("bass", "drums", "other", "vocals")
    np.testing.assert_allclose(song.source("drums"), np.full((2, 4410), 2 / 16), atol=1e-4)


def test_what_is_lacking_is_named(musdb):
    place = musdb / "test" / "Al James - Schoolboy Facination"
    (place / "vocals.wav").rename(place / "voices.wav")
    with pytest.raises(BadFile, match=r"Schoolboy Facination: vocals\.wav: no such file"):
        musdb_songs(musdb, "test")
    (place / "voices.wav").rename(place / "vocals.wav")
    (place / "mixture.wav").unlink()
    with pytest.raises(BadFile, match=r"Schoolboy Facination: mixture\.wav: no such file"):
        musdb_songs(musdb, "test")


def test_a_song_at_another_rate_or_in_mono_is_refused(tmp_path):
    save_song(tmp_path / "test" / "slow", rate_hz=22050)
    with pytest.raises(BadFile, match="slow: 22050 Hz, 2 channels; expected 44100 Hz, 2"):
        musdb_songs(tmp_path, "test")
    save_song(tmp_path / "train" / "mono", n_channels=1)
    with pytest.raises(BadFile, match="mono: 44100 Hz, 1 channels"):
        musdb_songs(tmp_path, "train")


def test_a_mixture_of_another_length_is_refused(musdb):
    place = musdb / "test" / "Al James - Schoolboy Facination"
    soundfile.write(place / "mixture.wav", np.zeros((100, 2)), 44100)
    with pytest.raises(BadFile, match=r"mixture\.wav has 100 samples; its stems have 4410"):
        musdb_songs(musdb, "test")


def test_a_folder_that_is_no_musdb_says_what_was_expected(tmp_path):
    with pytest.raises(BadFile, match="expected MUSDB18-HQ's train/ and test/"):
        musdb_songs(tmp_path, "train")
    (tmp_path / "train").mkdir()
    with pytest.raises(BadFile, match="no song of the split 'train'"):
        musdb_songs(tmp_path, "train")
