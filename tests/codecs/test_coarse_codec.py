"""The coarse codec: levels of bands and back, codes by stem and stage, files of weights."""

import math

import pytest
import torch

from diarize.codecs import load_codec
from diarize.codecs.coarse import CoarseCodec, CoarseSettings
from diarize.codecs.contract import Codec
from diarize.codecs.spectra import BandLevels, band_edges
from diarize.errors import BadCall, BadFile
from diarize.layers.codebook import CodebookRules
from diarize.training.packing import pack
from diarize.training.shipped import describe, new_model, ship

RATE_HZ = 8000
SMALL = CoarseSettings(
    **{"sources": ("low", "high"), "hop": 128, "n_fft": 256, "n_bands": 40, "width": 16},
    **{"n_blocks": 1, "kernel": 3, "code_width": 4, "n_stages": 2, "n_rounds": 16},
    rules=CodebookRules(n_codes=8, k_means_rounds=2),
)


def tone(hz, n_samples=4096, level=0.5):
    return level * torch.sin(2 * math.pi * hz * torch.arange(n_samples) / RATE_HZ)


@pytest.fixture
def codec():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CoarseCodec(SMALL, RATE_HZ).eval().requires_grad_(False)


def test_bands_cover_every_frequency_once_and_grow_wider():
    edges = torch.tensor(band_edges(128, 1025))
    assert len(edges) == 129
    assert (edges[0], edges[-1]) == (0, 1025)
    assert (edges.diff() >= 1).all()
    assert (edges[:20].diff() == 1).all()
    with pytest.raises(BadCall, match="9 bands of 8 frequencies"):
        band_edges(9, 8)


def test_a_sine_of_full_scale_has_the_level_zero_and_silence_the_lowest():
    levels = BandLevels(256, 129)
    sine = levels.forward(tone(1000.0, level=1.0)[None], 32)[0, 8:24]
    assert sine.max(1).values.mean() == pytest.approx(0, abs=0.1)
    assert (levels.forward(torch.zeros(1, 4096), 32) == -80).all()


def test_sound_made_of_levels_has_them():
    levels = BandLevels(256, 129)
    heard = levels.forward(torch.stack([tone(500.0), tone(1500.0)]), 64)
    made = levels.inverse(heard, 4096, 32)
    assert made.shape == (2, 4096)
    again = levels.forward(made, 64)
    loud = heard > -30
    assert (again - heard)[loud].abs().mean() < 1.5
    assert torch.equal(levels.inverse(heard, 4096, 32), made)
    assert (levels.inverse(torch.full((1, 64, 129), -80.0), 4096, 4) == 0).all()


def test_it_is_a_codec_whose_codes_are_counted_right(codec):
    assert isinstance(codec, Codec)
    sound = torch.stack([tone(300.0), tone(2000.0)])[None]
    encoded = codec.encode(sound)
    assert encoded.codes.shape == (1, codec.n_codes, codec.n_frames(4096)) == (1, 4, 32)
    assert encoded.latents.shape == (1, codec.n_latents, 32)
    assert codec.bits_per_s == pytest.approx(4 * 3 * RATE_HZ / 128)
    for back in (codec.decode(encoded), codec.decode_codes(encoded)):
        assert back.shape == sound.shape
        assert back.isfinite().all()


def test_codes_of_a_stem_hang_on_that_stem_alone(codec):
    one = torch.stack([tone(300.0), tone(2000.0)])[None]
    other = torch.stack([tone(300.0), tone(700.0)])[None]
    codes, changed = codec.encode(one).codes, codec.encode(other).codes
    assert torch.equal(codes[:, :2], changed[:, :2])


def test_a_stem_is_the_sum_of_the_vectors_of_its_codes(codec):
    codes = torch.randint(8, (3, 4, 5), generator=torch.Generator().manual_seed(0))
    books = codec.books.books()
    wanted = books[0].codes[1, codes[2, 2, 4]] + books[1].codes[1, codes[2, 3, 4]]
    torch.testing.assert_close(codec.look_up(codes)[2, 4, 1], wanted)


def test_other_stems_or_codes_than_its_own_are_named(codec):
    with pytest.raises(BadCall, match="3 stems; this codec takes 2: low, high"):
        codec.encode(torch.zeros(1, 3, 512))
    with pytest.raises(BadCall, match="5 codes a frame; this codec has 4"):
        codec.look_up(torch.zeros(1, 5, 2, dtype=torch.long))
    with pytest.raises(BadCall, match="hop = 100"):
        CoarseSettings(hop=100)


def test_it_is_found_in_the_file_of_a_model_and_in_no_other(tmp_path):
    table = {"name": "rqtransformer", "rate_hz": RATE_HZ, "width": 8, "n_heads": 2}
    small = {"n_blocks": 1, "depth_width": 8, "n_depth_blocks": 1, "n_depth_heads": 2}
    own = {"sources": ["low"], "hop": 32, "n_fft": 64, "n_bands": 8, "width": 8, "n_blocks": 1}
    codec = {**own, "code_width": 4, "n_stages": 1, "rules": {"n_codes": 4}}
    model = new_model("rqtransformer", {**table, **small, "codec": codec}, "here", 0)
    path = tmp_path / "model.safetensors"
    ship(path, model.state_dict(), {"model": describe(model)})
    found = load_codec("coarse", path)
    assert found.name == model.codec.name
    about = {"licence": "none", "data_licence": "none", "command": "none"}
    pack(path, tmp_path / "packed.safetensors", about)
    assert load_codec("coarse", tmp_path / "packed.safetensors").name == found.name
    sound = torch.rand(1, 1, 256)
    assert torch.equal(found.encode(sound).codes, model.eval().codec.encode(sound).codes)
    other = new_model("digit_classifier", {"side": 4, "channels": [4, 4], "kernel": 3}, "here", 0)
    ship(path, other.state_dict(), {"model": describe(other)})
    with pytest.raises(BadFile, match="holds no coarse codec"):
        load_codec("coarse", path)
