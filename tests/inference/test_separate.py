"""The separator: songs of any kind, whole files or none, and bad input named in one line."""

import numpy as np
import pytest
import soundfile
import torch

from diarize import Separator, SeparatorSettings, Tracks
from diarize.audio.activity import ActivitySettings, Levels, playing
from diarize.errors import BadCall, BadFile
from diarize.inference import separate as separate_module
from diarize.inference.separate_files import FileSettings, check_places, separate_all
from diarize.inference.separate_input import open_song
from diarize.inference.sources import find_sources
from diarize.models.contract import Separator as SeparatorModel

RATE_HZ = 8000


class LowAndHigh(torch.nn.Module):
    """A model that parts what is below 1 kHz from what is above."""

    sources = ("low", "high")
    rate_hz = RATE_HZ
    window_s = 0.5
    outputs = ("mixture",)

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def separate(self, mixture):
        n_samples = mixture.shape[2]
        spectrum = torch.fft.rfft(mixture[:, 0])
        is_low = torch.arange(spectrum.shape[1]) < 1000 / RATE_HZ * n_samples
        low = torch.fft.irfft(spectrum * is_low, n_samples)
        return torch.stack([low, mixture[:, 0] - low], 1)


@pytest.fixture
def separator(monkeypatch):
    """What makes a separator around that model, with some settings."""
    monkeypatch.setattr(separate_module, "load_model", lambda path: LowAndHigh())
    return lambda **settings: Separator(SeparatorSettings(model="some.safetensors", **settings))


def song(rate_hz=RATE_HZ, duration_s=2.0, n_channels=2):
    at = np.arange(round(rate_hz * duration_s)) / rate_hz
    low, high = 0.3 * np.sin(2 * np.pi * 200 * at), 0.2 * np.sin(2 * np.pi * 3000 * at)
    return np.tile((low + high).astype(np.float32), (n_channels, 1))


def saved(path, samples=None, rate_hz=RATE_HZ):
    soundfile.write(path, (song() if samples is None else samples).T, rate_hz)
    return path


def outcomes(paths, separator, folder, **settings):
    found = find_sources([str(path) for path in paths])
    return list(separate_all(found, separator, FileSettings(folder, **settings)))


def test_the_model_of_these_tests_keeps_to_the_contract():
    assert isinstance(LowAndHigh(), SeparatorModel)


@pytest.mark.parametrize(("rate_hz", "n_channels"), [(8000, 1), (44_100, 2), (11_025, 3)])
def test_an_array_comes_back_in_stems_of_its_rate_and_shape(separator, rate_hz, n_channels):
    given = song(rate_hz, 1.3, n_channels)
    tracks = separator()(given, rate_hz)
    assert isinstance(tracks, Tracks)
    assert tracks.rate_hz == rate_hz
    assert list(tracks.samples) == ["low", "high"]
    assert all(one.shape == given.shape for one in tracks.samples.values())
    at = np.arange(given.shape[1]) / rate_hz
    inner = slice(rate_hz // 5, -rate_hz // 5)
    wanted = 0.3 * np.sin(2 * np.pi * 200 * at)[inner]
    error = tracks.samples["low"][0, inner] - wanted
    assert np.sqrt((error**2).mean()) < 0.02


def test_a_file_gives_what_its_samples_give(separator, tmp_path):
    path = saved(tmp_path / "song.wav", np.rint(song() * 2**15) / 2**15)
    of_file = separator()(path)
    of_array = separator()((np.rint(song() * 2**15) / 2**15).astype(np.float32), RATE_HZ)
    for name in ("low", "high"):
        np.testing.assert_allclose(of_file.samples[name], of_array.samples[name], atol=1e-6)


@pytest.mark.parametrize("n_samples", [1, 2, 400])
def test_a_song_of_a_moment_and_silence_are_songs(separator, n_samples):
    silent = np.zeros((1, n_samples), np.float32)
    tracks = separator()(silent, RATE_HZ)
    assert tracks.samples["low"].shape == (1, n_samples)
    assert np.abs(tracks.samples["low"]).max() == 0


def test_stems_that_are_wanted_and_one_against_the_rest(separator):
    assert list(separator(stems=("high",))(song(), RATE_HZ).samples) == ["high"]
    two = separator(two_stems="low", sum_to_mix=True)(song(), RATE_HZ)
    assert list(two.samples) == ["low", "no_low"]
    whole = sum(one.astype(np.float64) for one in two.samples.values())
    np.testing.assert_allclose(whole, song(), atol=2**-23)


def test_in_several_passes_the_model_hears_the_song_in_several_keys(separator, monkeypatch):
    lengths = []

    def separate(self, mixture):
        lengths.append(mixture.shape[2])
        return torch.stack([mixture[:, 0], 0 * mixture[:, 0]], 1)

    monkeypatch.setattr(LowAndHigh, "separate", separate)
    given = song(duration_s=0.4)
    found = separator(passes=2)(given, RATE_HZ).samples["low"]
    assert lengths[1] == pytest.approx(lengths[0] * 2 ** (1 / 12), abs=3)
    inside = slice(400, -400)
    np.testing.assert_allclose(found[:, inside], given[:, inside], atol=2e-3)

    monkeypatch.setattr(LowAndHigh, "passes", 3, raising=False)
    separator()(given, RATE_HZ)
    assert len(lengths) == 5  # as often as the model was made for
    separator(passes=1)(given, RATE_HZ)
    assert len(lengths) == 6


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"passes": 9}, "passes is 9; it must be from 1 to 5"),
        ({"passes": 2, "samples": 3}, "samples and passes are both above 1"),
        ({"stems": ("flute",)}, "no stem 'flute'; there are low, high"),
        ({"two_stems": "flute"}, "no stem 'flute'; there are low, high"),
        ({"stems": ("low",), "two_stems": "low"}, "choose one"),
        ({"window_s": 0.0}, r"window_s is 0\.0"),
        ({"output": "codes"}, "output is 'codes'; some.safetensors has mixture"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(separator, settings, told):
    with pytest.raises(BadCall, match=told):
        separator(**settings)


def test_an_array_needs_a_rate_and_a_shape(separator):
    with pytest.raises(BadCall, match="give rate_hz"):
        separator()(song())
    with pytest.raises(BadCall, match="expected \\(time,\\) or \\(channel, time\\)"):
        separator()(np.zeros((2, 2, 2)), RATE_HZ)


def test_files_appear_with_names_and_kinds_as_asked(separator, tmp_path):
    path = saved(tmp_path / "a song.wav")
    done = outcomes(
        [path], separator(), tmp_path / "out", kind="flac", name="{stem} of {track}.{ext}"
    )
    wanted = [tmp_path / "out" / f"{stem} of a_song.flac" for stem in ("low", "high")]
    assert list(done[0].paths) == wanted
    assert all(soundfile.info(one).frames == 2 * RATE_HZ for one in wanted)
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == sorted(
        p.name for p in wanted
    )


@pytest.mark.parametrize(
    ("kind", "subtype"), [("wav", "int16"), ("wav", "int24"), ("wav", "float32"), ("flac", "int24")]
)
def test_stems_in_files_add_up_to_the_mixture_exactly(separator, tmp_path, kind, subtype):
    steps = 2**15
    path = saved(tmp_path / "song.wav", np.rint(song() * steps) / steps)
    wanted, _ = soundfile.read(path, dtype="float64")
    done = outcomes(
        [path], separator(sum_to_mix=True), tmp_path / "out", kind=kind, subtype=subtype
    )
    read = [soundfile.read(one, dtype="float64")[0] for one in done[0].paths]
    np.testing.assert_array_equal(sum(read), wanted)


def test_finished_songs_are_skipped_unless_they_are_to_be_done_again(separator, tmp_path):
    path, out = saved(tmp_path / "song.wav"), tmp_path / "out"
    assert not outcomes([path], separator(), out)[0].skipped
    before = (out / "song" / "low.wav").stat().st_mtime_ns
    assert outcomes([path], separator(), out)[0].skipped
    assert (out / "song" / "low.wav").stat().st_mtime_ns == before
    assert not outcomes([path], separator(), out, fresh=True)[0].skipped


def test_a_bad_file_is_named_and_stops_no_other(separator, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.flac").write_bytes(b"")
    good = saved(tmp_path / "song.wav")
    paths = [tmp_path / "text.wav", tmp_path / "empty.flac", tmp_path / "none.wav", good]
    done = outcomes(paths, separator(), tmp_path / "out")
    assert [type(one.error) for one in done[:3]] == [BadFile] * 3
    assert "cannot be decoded" in str(done[0].error)
    assert "empty file" in str(done[1].error)
    assert "No such file" in str(done[2].error)
    assert len(done[3].paths) == 2
    assert not (tmp_path / "out" / "text").exists() or not list(
        (tmp_path / "out" / "text").iterdir()
    )


def test_a_song_with_a_sample_that_is_no_number_leaves_no_stem(separator, tmp_path):
    broken = song()
    broken[0, 9000] = np.nan
    path = tmp_path / "song.wav"
    soundfile.write(path, broken.T, RATE_HZ, subtype="FLOAT")
    done = outcomes([path], separator(), tmp_path / "out")
    assert "not a number" in str(done[0].error)
    assert not list((tmp_path / "out").rglob("*.wav"))


def test_clipping_is_told_and_float_keeps_what_would_clip(separator, tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(path, 5 * song().T, RATE_HZ, subtype="FLOAT")
    held = outcomes([path], separator(), tmp_path / "held")
    assert "beyond full scale (up to 1.5" in held[0].notes[0]
    kept = outcomes([path], separator(), tmp_path / "kept", subtype="float32")
    assert kept[0].notes == ()
    assert np.abs(soundfile.read(kept[0].paths[0])[0]).max() > 1.4


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "mp3"}, "no format 'mp3'; there are wav, flac, ogg"),
        ({"kind": "flac", "subtype": "float32"}, "no 'float32' in flac"),
        ({"name": "{track}.wav"}, "lacks {stem}"),
        ({"name": "{track}/{stem}/{mood}"}, "there are {track}, {stem}, {ext}"),
        ({"name": "../{track}/{stem}"}, "leads out of the folder"),
    ],
)
def test_places_that_cannot_be_meant_are_refused(tmp_path, settings, told):
    with pytest.raises(BadCall, match=told):
        FileSettings(tmp_path, **settings)


def test_stems_do_not_go_among_the_songs(tmp_path):
    with pytest.raises(BadCall, match="lies in the input"):
        check_places([str(tmp_path)], tmp_path / "stems")
    check_places([str(tmp_path / "songs")], tmp_path / "stems")


def test_stems_cannot_add_up_in_a_format_that_loses_something(separator, tmp_path):
    with pytest.raises(BadCall, match="cannot add up exactly as vorbis"):
        outcomes([saved(tmp_path / "a.wav")], separator(sum_to_mix=True), tmp_path, kind="ogg")


def test_a_song_is_read_block_by_block(tmp_path):
    path = saved(tmp_path / "song.wav", song(44_100, 12.0), 44_100)
    opened = open_song(path)
    assert (opened.rate_hz, opened.n_channels, opened.n_samples) == (44_100, 2, 12 * 44_100)
    lengths = [block.shape[1] for block in opened.blocks]
    assert sum(lengths) == 12 * 44_100
    assert max(lengths) <= 2**17


def test_instruments_play_where_their_stems_are_loud():
    levels = Levels(2, 1000)
    stems = np.zeros((2, 1, 4000), np.float32)
    stems[0, 0, 1000:3000] = 0.5
    stems[1, 0, :2500] = 0.5
    stems[1, 0, 600:800] = 0  # a pause that is played through
    stems[0, 0, 3500:3600] = 0.5  # too short to be played
    stems[1, 0, 2500:] = 0.001  # 54 dB below
    for at in range(0, 4000, 130):
        levels.add(stems[:, :, at : at + 130])
    turns = playing(levels, ("low", "high"), ActivitySettings())
    found = {
        label: [(s.start, s.end) for s in turns.label_timeline(label)] for label in turns.labels()
    }
    assert found["low"] == [pytest.approx((1.0, 3.0))]
    assert found["high"] == [pytest.approx((0.0, 2.5))]


def test_activity_is_written_as_rttm_that_scores_like_speech(separator, tmp_path):
    path = saved(tmp_path / "song.wav")
    outcomes([path], separator(), tmp_path / "out", rttm=True)
    from diarize.formats.rttm import read_rttm

    turns = read_rttm(tmp_path / "out" / "song.rttm")["song"]
    assert sorted(turns.labels()) == ["high", "low"]
    assert turns.label_duration("low") == pytest.approx(2.0, abs=0.05)


def test_nothing_plays_in_silence():
    levels = Levels(1, 1000)
    levels.add(np.zeros((1, 2, 3000), np.float32))
    assert not playing(levels, ("low",))
