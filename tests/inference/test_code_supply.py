"""Codes to train on: those that the model makes of sound, each window once, and only its own."""

import numpy as np
import pytest
import soundfile
import torch

from diarize.corpora.supplies import make_supply, prepare
from diarize.errors import BadFile, MissingWeights
from diarize.formats.code_files import Codes, read_codes, save_codes
from diarize.inference import code_supply
from diarize.training.shipped import describe, new_model, ship

TABLE = {
    **{"rate_hz": 8000, "n_frames": 4, "width": 16, "n_blocks": 1, "n_heads": 2},
    **{"depth_width": 16, "n_depth_blocks": 1, "n_depth_heads": 2},
    "codec": {
        **{"sources": ["low", "high"], "hop": 512, "n_fft": 2048, "n_bands": 8, "width": 8},
        **{"n_blocks": 1, "code_width": 4, "n_stages": 2, "rules": {"n_codes": 5}},
    },
}
FRAMES = (9, 14, 4)  # of the songs


def save(folder, number, n_frames, rate_hz=8000):
    place = folder / "stems" / "train" / f"song{number}"
    place.mkdir(parents=True)
    for seed, name in enumerate(("low", "high")):
        noise = 0.1 * np.random.default_rng([number, seed]).standard_normal(n_frames * 512)
        soundfile.write(place / f"{name}.wav", noise.astype(np.float32), rate_hz, "FLOAT")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Three songs, the weights of a model, and the codes that are prepared of the songs."""
    folder = tmp_path_factory.mktemp("codes")
    for number, n_frames in enumerate(FRAMES):
        save(folder, number, n_frames)
    model = new_model("rqtransformer", TABLE, "this test", 0)
    ship(folder / "model.safetensors", model.state_dict(), {"model": describe(model)})
    prepare("codes", folder, settings(folder), "this test")
    return folder


def settings(folder, **more):
    return {"weights": str(folder / "model.safetensors"), "parts": ["train"], "n_frames": 4} | more


def supply(folder, **more):
    return make_supply("codes", folder, settings(folder, batch=2, **more), "this test")


def test_songs_are_made_the_codes_that_the_codec_makes_of_them_whole_or_in_pieces(
    place, tmp_path, monkeypatch
):
    made = sorted((place / "codes").glob("*/train/*.codes"))
    assert [path.name for path in made] == ["song0.codes", "song1.codes", "song2.codes"]
    codec = code_supply.load_coarse(place / "model.safetensors")
    assert made[0].parent.parent.name == codec.name
    found = read_codes(made[1])
    sound = np.stack(
        [soundfile.read(place / f"stems/train/song1/{one}.wav")[0] for one in ("low", "high")]
    )
    whole = codec.encode(torch.from_numpy(sound[None]).float()).codes[0].numpy()
    assert found.codec == codec.name
    assert np.array_equal(found.codes, whole)
    monkeypatch.setattr(code_supply, "PIECE", 5)
    (song,) = [one for one in code_supply.find_tracks(place / "stems/train") if one.name == "song1"]
    pieces = code_supply.codes_of(codec, song)
    assert pieces.codes.shape == whole.shape
    assert (pieces.codes == whole).mean() > 0.6  # but for what lies at a seam


def test_an_epoch_has_every_window_once_and_each_epoch_cuts_anew(place):
    """Codes that say which song and frame they are of."""
    codec = code_supply.load_coarse(place / "model.safetensors").name
    for song, n_frames in enumerate(FRAMES):
        codes = np.tile(100 * song + np.arange(n_frames), (4, 1))
        save_codes(place / "codes" / codec / "made" / f"song{song}.codes", Codes(codes, codec, 9))
    own, begins = supply(place, train_part="made"), set()
    for epoch in range(6):
        batches = list(own.epoch("codes", epoch))
        assert len(batches) == own.n_batches("codes") == 3
        rows = torch.cat([batch.inputs for batch in batches])
        assert (rows[:, :, 1:] == rows[:, :, :-1] + 1).all()
        found = rows[:, 0].flatten().tolist()
        assert len(set(found)) == len(found)
        assert sorted((rows[:, 0, 0] // 100).tolist()) == [0, 0, 1, 1, 1, 2]
        begins |= {one for one in rows[:, 0, 0].tolist() if one // 100 == 1}
    assert len(begins) > 3


def test_the_same_seed_hands_out_the_same_and_goes_on_where_it_stopped(place):
    def codes(start=0, **more):
        return [one.inputs for one in supply(place, **more).epoch("codes", 1, start)]

    assert all(torch.equal(*two) for two in zip(codes(), codes(), strict=True))
    assert all(torch.equal(*two) for two in zip(codes()[2:], codes(2), strict=True))
    assert not all(torch.equal(*two) for two in zip(codes(), codes(seed=1), strict=True))


def test_batches_say_whose_codes_they_are(place):
    (first, *_) = supply(place).epoch("counts", 0)
    name = code_supply.load_coarse(place / "model.safetensors").name
    assert [f"{int(one):012x}" for one in first.codec] == [name, name]


def test_a_share_of_the_songs_is_prepared_by_each_of_several(place, tmp_path):
    for number, n_frames in enumerate(FRAMES):
        save(tmp_path, number, n_frames)
    own = settings(place)
    made = prepare("codes", tmp_path, own, "this test", (2, 3))
    assert [path.stem for path in made.glob("train/*")] == ["song1"]


def test_what_cannot_be_is_named(place, tmp_path):
    with pytest.raises(BadFile, match="no codes; run diarize prepare codes first"):
        supply(place, train_part="validation")
    with pytest.raises(BadFile, match="6 windows of 4 frames; a batch of 7 would be right"):
        make_supply("codes", place, settings(place, batch=7), "x").n_batches("codes")
    with pytest.raises(BadFile, match=r"n_frames = 1"):
        supply(place, n_frames=1)
    save(tmp_path, 0, 8, 16_000)
    with pytest.raises(BadFile, match="song0: 16000 Hz; this codec takes 8000 Hz"):
        prepare("codes", tmp_path, settings(place), "this test")
    with pytest.raises(MissingWeights, match="no such file"):
        prepare("codes", tmp_path, settings(tmp_path), "this test")
