"""Latents made beforehand: those the codec makes, made anew when need be, read in windows."""

import json
import os

import numpy as np
import pytest
import soundfile
import torch

from diarize.codecs.contract import Encoded
from diarize.codecs.stft import STFTCodec
from diarize.corpora import latent_sets
from diarize.corpora.batch import Supply
from diarize.corpora.latent_sets import encoded, powers_of
from diarize.corpora.latent_supply import LatentSupply
from diarize.corpora.stem_settings import StemSettings
from diarize.corpora.supplies import make_supply, prepare
from diarize.errors import BadCall, BadFile
from diarize.formats.latent_files import read_frames
from diarize.formats.tracks import read_samples

RATE_HZ, HOP, N_LATENTS = 8000, 32, 66
SOURCES = ["drums", "bass"]
SECONDS = {"Track00001": 3.0, "Track00002": 4.5, "Track00003": 0.2}
PLAIN = {"share": 0.0, "mute": 0.0, "gain_db": 0.0, "level_db": 0.0, "invert": False}
TABLE = {
    **{"sources": SOURCES, "rate_hz": RATE_HZ, "least_s": 0.0, "window_s": 0.4},
    **{"batch": 3, "n_batches": 2, "remix": PLAIN},
    "latents": {"codec": "stft", "n_fft": 2 * HOP, "piece_s": 1.0, "context_s": 0.1},
}


class Bent:
    """A codec whose latents are neither linear nor without a past, of the same rate."""

    rate_hz, n_channels, frame_rate_hz, n_latents = RATE_HZ, 1, RATE_HZ / HOP, 4
    n_codes, bits_per_s = 0, 0.0

    def encode(self, audio):
        n_frames = -(-audio.shape[2] // HOP)
        padded = torch.nn.functional.pad(audio[:, 0], (0, n_frames * HOP - audio.shape[2]))
        sums = padded.unflatten(1, (n_frames, HOP)).square().mean(2).sqrt()
        return Encoded(torch.stack([sums.log1p()] * 4, 1), None, None, audio.shape[2])

    def decode(self, encoded):
        raise NotImplementedError

    decode_codes = decode


def settings(more=None, **latents):
    return {**TABLE, "latents": {**TABLE["latents"], **latents}} | (more or {})


def save_song(place, seconds, seed):
    place.mkdir(parents=True)
    n_samples = round(seconds * RATE_HZ)
    for number, name in enumerate(("bass", "drums", "guitar", "piano")):
        noise = 0.1 * np.random.default_rng([seed, number]).standard_normal(n_samples)
        if name == "bass":
            noise[: n_samples // 2] = 0
        soundfile.write(place / f"{name}.wav", noise.astype(np.float32), RATE_HZ, "FLOAT")


@pytest.fixture
def data(tmp_path):
    """Three songs as `prepare stems` leaves them; of the first half of each, bass is silent."""
    for seed, (name, seconds) in enumerate(SECONDS.items()):
        save_song(tmp_path / "stems" / "train" / name, seconds, seed)
    own = StemSettings(sources=tuple(SOURCES), rate_hz=RATE_HZ, least_s=0.0)
    (tmp_path / "stems" / "settings.json").write_text(json.dumps(own.prepared()))
    songs = {"parts": {"train": {"songs": list(SECONDS)}}}
    (tmp_path / "stems" / "songs.json").write_text(json.dumps(songs))
    return tmp_path


def made(data, **latents):
    prepare("latents", data, settings(**latents), "this test")
    return data


def supply(data, more=None, **latents):
    return make_supply("latents", data, settings(more, **latents), "this test")


def array(data, song="Track00001", folder="stft64"):
    return data / "latents" / folder / "train" / song / "drums_bass.npy"


def written(data):
    return {path: path.stat().st_mtime_ns for path in (data / "latents").rglob("*.npy")}


def mixture(data, song="Track00001"):
    place = data / "stems" / "train" / song
    return sum(read_samples(place / f"{name}.wav")[0] for name in SOURCES)


def test_what_is_kept_is_the_latents_of_the_mixture_of_the_sources_and_of_no_sum_of_latents(data):
    made(data, precision="float32")
    wanted = STFTCodec(2 * HOP, RATE_HZ).encode(torch.from_numpy(mixture(data))[None, None])
    found = np.load(array(data))
    np.testing.assert_allclose(found, wanted.latents[0].T.numpy(), atol=1e-5)
    powers = np.load(array(data).with_suffix(".power.npy"))
    assert powers.shape == (len(found), 3)
    at = slice(40 * HOP, 41 * HOP)
    assert powers[40, 0] == pytest.approx(np.mean(mixture(data)[at] ** 2), rel=1e-5)
    assert powers[40, 2] == 0  # the bass, in the first half


@pytest.mark.parametrize("n_samples", [1, HOP, 3 * HOP + 5, 700, 64 * HOP])
@pytest.mark.parametrize("piece_s", [0.02, 0.1, 9.0])
def test_pieces_make_the_latents_of_the_whole(n_samples, piece_s):
    codec = STFTCodec(2 * HOP, RATE_HZ)
    sound = np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)
    found = np.concatenate(list(encoded(codec, sound, piece_s, context_s=0.0)))
    wanted = codec.encode(torch.from_numpy(sound)[None, None]).latents[0].T.numpy()
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_half_precision_loses_less_than_any_codec(data):
    exact = np.load(array(made(data, precision="float32")))
    half = np.load(array(made(data, precision="float16")))
    assert half.dtype == np.float16
    lost_db = 10 * np.log10(np.mean((half - exact) ** 2) / np.mean(exact**2))
    assert -80 < lost_db < -60


def test_what_half_precision_cannot_hold_is_refused(data):
    for name in SOURCES:
        path = data / "stems" / "train" / "Track00001" / f"{name}.wav"
        loud = np.full(round(3 * RATE_HZ), 5000.0, np.float32)
        soundfile.write(path, loud, RATE_HZ, "FLOAT")
    with pytest.raises(BadFile, match=r"float16 cannot hold; precision = 'float32'"):
        made(data)
    made(data, precision="float32")


def test_a_second_call_makes_nothing_anew(data):
    before = written(made(data))
    assert len(before) == 2 * len(SECONDS)
    assert written(made(data)) == before


def test_shares_of_several_at_work_make_the_same_bytes(data, tmp_path_factory):
    made(data)
    one = {song: array(data, song).read_bytes() for song in SECONDS}
    for path in (data / "latents").rglob("*.*"):
        path.unlink()
    torch.set_num_threads(2)
    for number in (2, 3, 1):
        prepare("latents", data, settings(), "this test", (number, 3))
    assert {song: array(data, song).read_bytes() for song in SECONDS} == one
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_of_a_changed_stem_its_own_song_is_made_anew_and_no_other(data):
    before = written(made(data))
    path = data / "stems" / "train" / "Track00002" / "drums.wav"
    soundfile.write(path, 0.5 * read_samples(path)[0], RATE_HZ, "FLOAT")
    os.utime(path, ns=(1, 1))
    with pytest.raises(BadFile, match=r"older than .*drums\.wav; run diarize prepare latents"):
        supply(data)
    after = written(made(data))
    changed = {path.parent.name for path in after if after[path] != before[path]}
    assert changed == {"Track00002"}
    supply(data)


def test_a_stem_written_again_with_the_same_content_costs_no_encoding(data):
    before = written(made(data))
    path = data / "stems" / "train" / "Track00002" / "drums.wav"
    os.utime(path, ns=(1, 1))
    with pytest.raises(BadFile, match="older than"):
        supply(data)
    assert written(made(data)) == before
    supply(data)


def test_what_was_broken_off_is_made_again(data):
    before = np.load(array(made(data)))
    array(data).write_bytes(b"half of it")
    array(data).with_suffix(".json").unlink()
    with pytest.raises(BadFile, match=r"no latents of Track00001; run diarize prepare latents"):
        supply(data)
    np.testing.assert_array_equal(np.load(array(made(data))), before)


def test_another_codec_of_that_name_makes_all_anew(data, monkeypatch):
    monkeypatch.setattr(latent_sets, "load_codec", lambda name, weights: Bent())
    made(data, codec="rvq")
    supply(data, codec="rvq")
    other = Bent()
    other.n_latents = 8
    monkeypatch.setattr(latent_sets, "load_codec", lambda name, weights: other)
    with pytest.raises(BadFile, match=r"made with n_latents = 4, and this conf has 8; run diarize"):
        supply(data, codec="rvq")
    before = written(data)
    after = written(made(data, codec="rvq"))
    assert all(after[path] != before[path] for path in before)


def test_a_codec_of_another_rate_than_the_conf_s_is_refused_and_both_are_named(data, monkeypatch):
    other = Bent()
    other.rate_hz = 24_000
    monkeypatch.setattr(latent_sets, "load_codec", lambda name, weights: other)
    with pytest.raises(BadCall, match=r"'encodec24' has 24000 Hz, and \[data\] rate_hz = 8000"):
        made(data, codec="encodec24")
    other.rate_hz, other.n_channels = RATE_HZ, 2
    with pytest.raises(BadCall, match="has 2 channels; one of 1"):
        made(data, codec="encodec48")


def test_without_a_codec_or_without_latents_there_is_a_word_on_what_to_do(data):
    with pytest.raises(BadCall, match=r"no codec in \[data\.latents\]; such as codec = 'rvq'"):
        supply(data, codec="")
    with pytest.raises(BadFile, match=r"no latents of Track00001; run diarize prepare latents --d"):
        supply(data)
    with pytest.raises(BadFile, match="prepared with rate_hz = 8000, and 22050 is wanted"):
        supply(data, {"rate_hz": 22_050})


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"remix": {}}, "remix.share, remix.mute, remix.gain_db, remix.level_db, remix.invert"),
        ({"remix": {**PLAIN, "gain_db": 3.0}}, "remix.gain_db"),
        ({"remix": {**PLAIN, "effects": {"likely": 0.5, "speed": 0.1}}}, "remix.effects"),
        ({"brightness": {"dark": 0.3}}, "brightness"),
    ],
)
def test_what_cannot_be_done_to_latents_is_refused_by_its_name(data, more, named):
    with pytest.raises(BadCall, match=rf"^{named}: cannot be done to latents .* corpus = 'stems'"):
        supply(made(data), more)


def test_windows_are_those_of_the_mixture_s_sound(data):
    own = supply(made(data, precision="float32"), precision="float32")
    assert isinstance(own, Supply)
    batch = next(own.epoch("compose", 0))
    assert batch.inputs.shape == (3, N_LATENTS, round(0.4 * RATE_HZ) // HOP)
    every = {song: np.load(array(data, song)).astype(np.float32) for song in SECONDS}
    for row, loudness in zip(batch.inputs.numpy(), batch.loudness, strict=True):
        song, start = next(
            (song, at)
            for song, held in every.items()
            for at in range(len(held))
            if np.array_equal(held[at : at + row.shape[1]].T, row)
        )
        sound = mixture(data, song)[start * HOP : (start + row.shape[1]) * HOP]
        padded = np.pad(sound, (0, row.shape[1] * HOP - len(sound)))
        assert loudness.item() == pytest.approx(np.sqrt(np.mean(padded**2)), rel=1e-5)
        inner = STFTCodec(2 * HOP, RATE_HZ).encode(torch.from_numpy(padded)[None, None]).latents[0]
        np.testing.assert_allclose(row[:, 1:], inner.numpy()[:, 1:-1], atol=1e-5)


def test_batches_hang_on_the_epoch_alone_and_go_on_from_any(data):
    made(data)
    first = [batch.inputs for batch in supply(data).epoch("compose", 1)]
    again = supply(data)
    list(again.epoch("compose", 0))
    torch.testing.assert_close(next(again.epoch("compose", 1, 1)).inputs, first[1], rtol=0, atol=0)
    assert not torch.equal(next(again.epoch("prior", 1)).inputs, first[0])


def test_windows_are_drawn_until_their_sources_sound(data):
    both = supply(made(data), {"sounding_rms": 0.09, "least_active": 2})
    for number in range(20):
        assert both.window(np.random.default_rng(number)).loudness > 0.125  # one alone: .1
    anything = supply(data, {"least_active": 1})
    found = [anything.window(np.random.default_rng(number)).loudness for number in range(20)]
    assert min(found) < 0.11
    with pytest.raises(BadFile, match=r"1000 windows of 0\.4 s, in none of which 2 of drums, bass"):
        supply(data, {"sounding_rms": 0.5, "least_active": 2}).window(np.random.default_rng(0))


def test_a_codec_that_is_not_linear_has_loudness_only_where_songs_were_made_one(data, monkeypatch):
    monkeypatch.setattr(latent_sets, "load_codec", lambda name, weights: Bent())
    plain = supply(made(data, codec="encodec24"), codec="encodec24")
    assert next(plain.epoch("compose", 0)).loudness is None
    with pytest.raises(BadFile, match="made with level = as_is, and this conf has song"):
        supply(data, codec="encodec24", level="song")
    made(data, codec="encodec24", level="song")
    even = supply(data, codec="encodec24", level="song")
    assert next(even.epoch("compose", 0)).loudness.tolist() == [1, 1, 1]
    held = np.expm1(np.load(array(data, folder="encodec24")).astype(np.float32))[:, 0]
    assert np.sqrt(np.mean(held**2)) == pytest.approx(1, abs=0.01)
    with pytest.raises(BadFile, match=r"level = 'song' of codec 'stft'; expected 'as_is'"):
        made(data, level="song")


def test_songs_without_sound_at_hand_can_be_trained_on(data):
    made(data)
    for path in (data / "stems").rglob("*.wav"):
        path.unlink()
    assert len(next(supply(data).epoch("compose", 0))) == 3


def test_no_song_as_long_as_a_window_is_told(data):
    with pytest.raises(BadFile, match="no song of 9 s or more"):
        supply(made(data), {"window_s": 9.0})


def test_no_more_rows_than_there_are_can_be_read(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6.0).reshape(3, 2))
    assert read_frames(path, 1, 2).tolist() == [[2, 3], [4, 5]]
    with pytest.raises(BadFile, match=r"shape \(3, 2\); expected 4 rows or more"):
        read_frames(path, 2, 2)
    path.write_bytes(b"nothing")
    with pytest.raises(BadFile, match="no latents"):
        read_frames(path, 0, 1)


def test_powers_end_where_sound_ends():
    assert powers_of(np.ones(5, np.float32), 4, 3).tolist() == [1.0, 0.25, 0.0]


def test_the_supply_is_the_one_that_confs_name(data):
    assert isinstance(supply(made(data)), LatentSupply)
