"""Music of codes: what is given is kept, what is missing is made, and what cannot be is named."""

import numpy as np
import pytest
import soundfile
import torch

from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.formats.code_files import Codes, read_codes, save_codes
from diarize.formats.tracks import Tracks, find_tracks
from diarize.inference.music import Missing, MusicMaker
from diarize.inference.music_scores import code_scores, song_windows, sound_scores
from diarize.models.rqtransformer.sampling import Drawing
from diarize.training.shipped import describe, new_model, ship

TABLE = {
    **{"rate_hz": 8000, "n_frames": 16, "width": 16, "n_blocks": 1, "n_heads": 2},
    **{"depth_width": 16, "n_depth_blocks": 1, "n_depth_heads": 2},
    "codec": {
        **{"sources": ["low", "high"], "hop": 512, "n_fft": 2048, "n_bands": 8, "width": 8},
        **{"n_blocks": 1, "code_width": 4, "n_stages": 2, "n_rounds": 2, "rules": {"n_codes": 5}},
    },
}


def shipped(folder, seed=0):
    model = new_model("rqtransformer", TABLE, "this test", seed)
    path = folder / f"model{seed}.safetensors"
    ship(path, model.state_dict(), {"model": describe(model)})
    return path


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    return MusicMaker(shipped(tmp_path_factory.mktemp("music")))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """One that was trained otherwise, whose codes mean something else."""
    return MusicMaker(shipped(tmp_path_factory.mktemp("music"), 1))


def sounds(n_samples=8192, rate_hz=8000, seed=0):
    noise = 0.1 * np.random.default_rng(seed).standard_normal((2, 1, n_samples))
    return Tracks(
        {"low": noise[0].astype(np.float32), "high": noise[1].astype(np.float32)}, rate_hz
    )


def songs(folder, n=3, n_samples=17_000, rate_hz=8000):
    for number in range(n):
        place = folder / f"song{number}"
        place.mkdir()
        for name, samples in sounds(n_samples, seed=number).samples.items():
            soundfile.write(place / f"{name}.wav", samples.T, rate_hz)
    return folder


def test_pieces_are_as_long_as_asked_and_each_its_own(maker):
    made = maker.make(2, 0.5, seed=3)
    assert [one.tracks.samples["low"].shape for one in made] == [(1, 8 * 512)] * 2
    assert set(made[0].tracks.samples) == {"low", "high"}
    assert not np.array_equal(made[0].codes.codes, made[1].codes.codes)
    again = maker.make(2, 0.5, seed=3)
    assert np.array_equal(again[1].codes.codes, made[1].codes.codes)
    for name, one in again[1].tracks.samples.items():
        assert np.array_equal(one, made[1].tracks.samples[name])


def test_a_beginning_is_gone_on_from_and_kept(maker):
    given = maker.encode(sounds(2048))
    (made,) = maker.make(1, seed=1, beginning=given)
    assert made.codes.codes.shape[1] == 16
    assert np.array_equal(made.codes.codes[:, :4], given.codes)


def test_only_what_is_missing_is_made_anew(maker):
    given = maker.encode(sounds())
    missing = Missing(0.2, 0.4, ("high",))
    known = maker.known(16, missing)
    assert known[:, 0].all()
    assert known[:, 1].tolist() == [not 3 <= frame < 7 for frame in range(16)]
    made = maker.fill(given, missing, 2, seed=1)
    for one in made:
        assert np.array_equal(one.codes.codes[:2], given.codes[:2])
        assert np.array_equal(one.codes.codes[2:, :3], given.codes[2:, :3])
        assert np.array_equal(one.codes.codes[2:, 7:], given.codes[2:, 7:])
        assert one.tracks.samples["high"].shape == (1, 8192)
    assert not np.array_equal(made[0].codes.codes, made[1].codes.codes)


def test_stems_at_another_rate_or_absent_ones_have_codes_too(maker):
    tracks = sounds(16_384, 16_000)
    whole = maker.encode(tracks)
    assert whole.n_samples == 8192
    lone = maker.encode(Tracks({"low": tracks.samples["low"]}, 16_000))
    assert np.array_equal(lone.codes[:2], whole.codes[:2])
    assert (lone.codes[2:] == lone.codes[2:, 8:9])[:, 4:12].all()  # silence, the same throughout


def test_codes_come_back_from_their_file_and_others_are_told_apart(maker, other, tmp_path):
    given = maker.encode(sounds())
    save_codes(tmp_path / "a.codes", given)
    found = maker.read(tmp_path / "a.codes")
    assert found.codec == given.codec
    assert found.n_samples == 8192
    assert np.array_equal(found.codes, given.codes)
    with pytest.raises(
        BadFile, match=f"a.codes: codes of the codec {given.codec}; this model's is"
    ):
        other.read(tmp_path / "a.codes")
    with pytest.raises(BadCall, match="codes of the codec"):
        other.make(beginning=given)
    (tmp_path / "b.codes").write_bytes(b"nothing")
    with pytest.raises(BadFile, match=r"b.codes: no codes"):
        read_codes(tmp_path / "b.codes")


def test_what_cannot_be_made_is_named(maker, tmp_path):
    with pytest.raises(BadCall, match=r"32 frames; this model was trained on 1 to 16 \(1\.0 s\)"):
        maker.make(1, 2.0)
    with pytest.raises(BadCall, match="0 pieces"):
        maker.make(0)
    with pytest.raises(BadCall, match="a beginning of 16 frames of 16"):
        maker.make(beginning=maker.encode(sounds()))
    with pytest.raises(BadCall, match="no stem 'middle'; there are low, high"):
        maker.fill(maker.encode(sounds()), Missing(stems=("middle",)))
    with pytest.raises(BadCall, match=r"missing from 3 s on, of 1\.02 s in all"):
        maker.fill(maker.encode(sounds()), Missing(3.0, 4.0))
    with pytest.raises(BadCall, match="missing from 2 to 1 s"):
        Missing(2.0, 1.0)
    with pytest.raises(BadCall, match="stems flute; one of low, high"):
        maker.encode(Tracks({"flute": np.zeros((1, 800), np.float32)}, 8000))
    with pytest.raises(BadCall, match="17 frames"):
        maker.encode(sounds(8200))
    (tmp_path / "song.wav").write_bytes(b"")
    with pytest.raises(BadFile, match=r"neither a folder of stems nor a file \.codes"):
        maker.read(tmp_path / "song.wav")


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(MissingWeights, match=r"none\.safetensors: no such file"):
        MusicMaker(tmp_path / "none.safetensors")


def test_what_ships_makes_music_and_tells_its_own_better_than_chance():
    """Any code costs 8 bits by chance; what was drawn at temperature .5 is likely by far."""
    shipped_maker = MusicMaker()
    (made,) = shipped_maker.make(seconds=0.5, seed=1, drawing=Drawing(temperature=0.5))
    assert made.codes.codec == shipped_maker.codec.name
    assert set(made.tracks.samples) == {"bass", "drums", "guitar", "piano"}
    codes = torch.from_numpy(made.codes.codes)[None]
    assert shipped_maker.model.nats(codes).mean() < 0.6 * np.log(256)


def test_weights_of_another_model_are_named(tmp_path):
    model = new_model("digit_classifier", {"side": 4, "channels": [4, 4], "kernel": 3}, "here", 0)
    ship(tmp_path / "model.safetensors", model.state_dict(), {"model": describe(model)})
    with pytest.raises(BadFile, match="a DigitClassifier, which makes no music"):
        MusicMaker(tmp_path / "model.safetensors")


def test_scores_of_a_model_are_the_mean_of_its_nats_over_whole_windows(maker, tmp_path):
    found = find_tracks(songs(tmp_path), maker.sources)
    windows = list(song_windows(maker, found))
    assert [one.shape for one in windows] == [(2, 8192)] * 6
    scores = code_scores(maker, found, found[:2], found[2:])
    assert (scores.n_windows, scores.n_songs, scores.n_counted) == (6, 3, 4)
    with torch.no_grad():
        nats = maker.model.nats(maker.model.codes(torch.from_numpy(np.stack(windows))))
    assert scores.nats["rqtransformer"] == pytest.approx(
        nats.mean((0, 2)).view(2, 2).numpy(), rel=1e-4
    )
    table = scores.table(maker.sources)
    assert table.header == ("system", "all", "stage 1", "stage 2", "low", "high")
    assert table.rows[0][1] == f"{np.log2(5):.3f}"


def test_songs_of_another_rate_or_shorter_than_a_window_are_named(maker, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    short = find_tracks(songs(tmp_path / "a", 1, 800))
    with pytest.raises(BadFile, match=r"no song of 1\.0 s or more"):
        code_scores(maker, short, short, short)
    fast = find_tracks(songs(tmp_path / "b", 1, rate_hz=16_000))
    with pytest.raises(BadFile, match="song0: 16000 Hz; stems at 8000 Hz are scored"):
        list(song_windows(maker, fast))


def test_sound_is_scored_by_as_many_windows_as_are_told(maker, tmp_path):
    found = find_tracks(songs(tmp_path), maker.sources)
    scores = sound_scores(maker, found, found, 3)
    assert (scores.n_test, scores.n_train, scores.n_generated) == (6, 3, 3)
    assert 0 <= scores.floor < scores.codec
    assert scores.generated > scores.floor
    same = sound_scores(maker, found, found, 6)
    assert same.floor == pytest.approx(0, abs=1e-6)


def test_a_file_of_codes_is_the_same_bytes_for_the_same_codes(maker, tmp_path):
    codes = np.arange(8).reshape(4, 2)
    for name, given in (("a", codes), ("b", np.asfortranarray(codes))):
        save_codes(tmp_path / name, Codes(given, "abc", 1024))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert np.array_equal(read_codes(tmp_path / "b").codes, codes)
