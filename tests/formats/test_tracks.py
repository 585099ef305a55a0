import numpy as np
import pytest
import soundfile

from diarize.errors import BadCall, BadFile
from diarize.formats.tracks import Tracks, find_tracks, read_samples, save_samples, save_tracks

RATE_HZ = 8000


def stems(*names, n_samples=80, n_channels=1):
    return Tracks(
        {name: np.full((n_channels, n_samples), 0.25, np.float32) for name in names}, RATE_HZ
    )


def test_what_is_saved_is_found_and_read_as_it_was(tmp_path):
    for song in ("second", "first"):
        save_tracks(tmp_path / song, stems("drums", "bass", n_channels=2), "flac", "int24")
    found = find_tracks(tmp_path)
    assert [song.name for song in found] == ["first", "second"]
    assert list(found[0].stems) == ["bass", "drums"]
    assert (found[0].rate_hz, found[0].n_samples, found[0].n_channels) == (RATE_HZ, 80, 2)
    samples = read_samples(found[0].stems["bass"], start=10, n_samples=5)
    np.testing.assert_array_equal(samples, np.full((2, 5), 0.25))


def test_stems_come_in_the_order_they_are_asked_for(tmp_path):
    save_tracks(tmp_path / "song", stems("drums", "bass", "vocals"))
    assert list(find_tracks(tmp_path, ("vocals", "bass"))[0].stems) == ["vocals", "bass"]


def test_a_folder_of_sound_files_is_one_song(tmp_path):
    save_tracks(tmp_path / "song", stems("drums", "mixture"))
    (song,) = find_tracks(tmp_path / "song")
    assert list(song.stems) == ["drums"]
    assert song.mixture == tmp_path / "song" / "mixture.wav"


def test_hidden_and_empty_folders_are_passed_over(tmp_path):
    save_tracks(tmp_path / "song", stems("drums"))
    save_tracks(tmp_path / ".half", stems("drums"))
    (tmp_path / "log").mkdir()
    assert [song.name for song in find_tracks(tmp_path)] == ["song"]


def test_a_stem_that_is_lacking_or_there_twice_is_named(tmp_path):
    save_tracks(tmp_path / "song", stems("drums"))
    with pytest.raises(BadFile, match=r"song: no bass.*; its stems: drums"):
        find_tracks(tmp_path, ("bass",))
    save_tracks(tmp_path / "song", stems("drums"), "flac")
    with pytest.raises(BadFile, match=r"drums\.flac and drums\.wav; expected one"):
        find_tracks(tmp_path)


def test_a_stem_unlike_the_others_is_named(tmp_path):
    save_tracks(tmp_path / "song", stems("bass"))
    save_tracks(tmp_path / "song", stems("drums", n_samples=40))
    with pytest.raises(BadFile, match=r"drums\.wav: 40 samples at 8000 Hz, 1 channel; bass\.wav"):
        find_tracks(tmp_path)


def test_a_damaged_stem_is_named(tmp_path):
    save_tracks(tmp_path / "song", stems("bass"))
    (tmp_path / "song" / "drums.wav").write_bytes(b"no sound")
    with pytest.raises(BadFile, match=r"drums\.wav: cannot be read as sound"):
        find_tracks(tmp_path)


def test_samples_that_are_not_numbers_are_refused(tmp_path):
    save_samples(tmp_path / "a.wav", np.full((1, 8), np.nan, np.float32), RATE_HZ, "float32")
    with pytest.raises(BadFile, match="not numbers"):
        read_samples(tmp_path / "a.wav")


def test_a_folder_without_songs_says_what_was_expected(tmp_path):
    with pytest.raises(BadFile, match="no song in it"):
        find_tracks(tmp_path)
    with pytest.raises(BadFile, match="no such folder"):
        find_tracks(tmp_path / "none")


def test_float_keeps_what_passes_full_scale_and_integers_hold_it_there(tmp_path):
    loud = np.full((1, 8), 1.5, np.float32)
    save_samples(tmp_path / "a.wav", loud, RATE_HZ, "float32")
    save_samples(tmp_path / "b.wav", loud, RATE_HZ)
    assert read_samples(tmp_path / "a.wav").max() == 1.5
    assert read_samples(tmp_path / "b.wav").max() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("kind", "subtype"), [("wav", "PCM_24"), ("flac", "PCM_16")])
def test_the_format_is_that_of_the_ending(tmp_path, kind, subtype):
    path = tmp_path / f"a.{kind}"
    save_samples(path, stems("a").samples["a"], RATE_HZ, "int24" if kind == "wav" else None)
    info = soundfile.info(path)
    assert (info.format, info.subtype) == (kind.upper(), subtype)


def test_formats_and_subtypes_that_there_are_not_are_named(tmp_path):
    samples = stems("a").samples["a"]
    with pytest.raises(BadCall, match="format 'mp3'; expected one of wav, flac, ogg"):
        save_samples(tmp_path / "a.mp3", samples, RATE_HZ)
    with pytest.raises(BadCall, match="flac as float32; expected int16 or int24"):
        save_samples(tmp_path / "a.flac", samples, RATE_HZ, "float32")


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadFile, match="cannot be written"):
        save_samples(tmp_path / "file" / "a.wav", stems("a").samples["a"], RATE_HZ)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_stems_of_one_song_have_one_shape():
    with pytest.raises(BadCall, match=r"\(1, 5\), \(2, 5\)"):
        Tracks({"a": np.zeros((1, 5), np.float32), "b": np.zeros((2, 5), np.float32)}, RATE_HZ)
    assert stems("a").duration_s == 0.01
    assert Tracks({}, RATE_HZ).duration_s == 0
