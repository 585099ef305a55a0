"""Codecs: all behind one contract; what is exact is exact, and codes alone are enough for sound."""

import hashlib
import json

import pytest
import torch

from diarize.codecs import CODECS, load_codec, rvq
from diarize.codecs.contract import Codec, Encoded
from diarize.codecs.mdct import MDCT
from diarize.codecs.rvq import RVQCodec, RVQSettings
from diarize.codecs.stft import STFTCodec
from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.layers.codebook import CodebookRules

SMALL = RVQSettings(
    hop=16,
    n_blocks=(2, 2),
    widths=(4, 4),
    stages=(3, 2),
    together=2,
    rules=CodebookRules(16, k_means_rounds=5),
)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def sound(n_samples=1000, batch=2):
    return 0.1 * torch.randn(batch, 1, n_samples, generator=chance(1))


def taught(n_rounds=3):
    codec = RVQCodec(SMALL, 8000)
    for _ in range(n_rounds):
        codec.quantise(codec.transform.forward(sound(20_000)[:, 0]), chance())
    return codec


@pytest.mark.parametrize("n_samples", [1, 15, 16, 17, 160, 1003])
def test_the_cosine_transform_is_inverted_exactly_and_keeps_energy(n_samples):
    transform, given = MDCT(16), torch.randn(3, n_samples, generator=chance())
    numbers = transform.forward(given)
    assert numbers.shape == (3, transform.n_frames(n_samples), 16)
    torch.testing.assert_close(transform.inverse(numbers, n_samples), given, atol=1e-5, rtol=0)
    torch.testing.assert_close((numbers**2).sum(), (given**2).sum(), rtol=1e-4, atol=0)


def test_a_tone_is_one_line_of_the_transform():
    at = torch.arange(6400)
    tone = torch.cos(2 * torch.pi * (10.5 / 128) * at)[None]  # the middle of line 10 of 64
    power = MDCT(64).forward(tone)[0, 5:90].pow(2).mean(0)
    assert int(power.argmax()) == 10
    assert float(power[9:12].sum() / power.sum()) > 0.98


@pytest.mark.parametrize("codec", [STFTCodec(64), RVQCodec(SMALL, 8000)])
@pytest.mark.parametrize("n_samples", [1, 33, 1000])
def test_latents_give_the_sound_back_exactly(codec, n_samples):
    assert isinstance(codec, Codec)
    encoded = codec.encode(sound(n_samples))
    assert encoded.latents.shape[:2] == (2, codec.n_latents)
    torch.testing.assert_close(codec.decode(encoded), sound(n_samples), atol=1e-5, rtol=0)


def test_codes_alone_give_nearly_the_sound_back():
    codec = taught()
    encoded = codec.encode(sound())
    codes_only = Encoded(torch.zeros_like(encoded.latents), encoded.codes, None, 1000)
    error = codec.decode_codes(codes_only) - sound()
    assert float(error.pow(2).mean() / sound().pow(2).mean()) < 0.1


def test_codes_are_as_many_as_the_codec_says_and_of_its_rate():
    codec = taught()
    codes = codec.encode(sound(8000)).codes
    assert codes.shape[1] == codec.n_codes == 2 + 3 * 2 + 2 * 2
    assert codec.bits_per_s == pytest.approx((2 * 6 + 10 * 4) * 500)


def test_more_codes_in_the_sum_come_nearer():
    codec = taught()
    numbers = codec.transform.forward(sound()[:, 0])
    errors = [
        float((codec.quantise(numbers, n_stages=n)[0] - numbers).pow(2).mean()) for n in (1, 2, 3)
    ]
    assert errors[0] > 1.3 * errors[1] > 1.3 * errors[2]


def test_a_louder_sound_has_the_same_codes_but_those_of_loudness():
    codec = taught()
    one, two = (codec.encode(factor * sound()).codes for factor in (1.0, 10**0.2))  # 4 dB: 2 steps
    assert torch.equal(one[:, 2:], two[:, 2:])
    assert torch.equal(one[:, :2], two[:, :2] + 2)


def test_silence_stays_silence_to_the_ear():
    codec = taught()
    silent = torch.zeros(1, 1, 500)
    assert float(codec.decode_codes(codec.encode(silent)).abs().max()) < 1e-4


def test_blocks_that_do_not_make_up_a_frame_are_refused():
    with pytest.raises(BadCall, match="blocks of 12 numbers in all; hop = 16 would be right"):
        RVQSettings(hop=16, n_blocks=(2, 1), widths=(4, 4), stages=(1, 1), together=1)
    with pytest.raises(BadCall, match=r"rules\.learning = 'gradient'"):
        RVQSettings(rules=CodebookRules(learning="gradient"))


def test_our_codec_is_read_from_the_file_of_a_separator(tmp_path):
    from safetensors.torch import save_file

    codec = taught()
    path = tmp_path / "model.safetensors"
    tensors = {f"codec.{name}": one for name, one in codec.state_dict().items()}
    save_file(tensors, path)
    table = {
        **{"hop": 16, "n_blocks": [2, 2], "widths": [4, 4], "stages": [3, 2], "together": 2},
        "rules": {"n_codes": 16, "k_means_rounds": 5},
    }
    card = {"model": {"name": "rqvae", "settings": {"rate_hz": 8000, "codec": table}}}
    path.with_suffix(".json").write_text(json.dumps(card))
    loaded = load_codec("rvq", path)
    assert torch.equal(loaded.encode(sound()).codes, codec.encode(sound()).codes)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(BadFile, match="holds no codec"):
        rvq.load_rvq(path)


@pytest.mark.parametrize("name", ["rvq", "stft"])
def test_sound_with_other_channels_than_a_codec_takes_is_refused_and_not_cut(name):
    codec = taught() if name == "rvq" else STFTCodec()
    with pytest.raises(BadCall, match=rf"shape \(1, 2, 100\); {name} takes .* with 1"):
        codec.encode(torch.zeros(1, 2, 100))


def test_there_is_no_other_codec_and_the_stft_has_neither_weights_nor_codes(tmp_path):
    with pytest.raises(BadCall, match=f"no codec 'mp3'; there are {', '.join(CODECS)}"):
        load_codec("mp3")
    with pytest.raises(BadCall, match="has no weights"):
        load_codec("stft", tmp_path)
    codec = load_codec("stft")
    with pytest.raises(BadCall, match="has no codes"):
        codec.decode_codes(codec.encode(sound()))


def test_weights_of_encodec_that_are_nowhere_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DIARIZE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingWeights, match=r"put encodec_24khz-d7cc33bc\.th of EnCodec's"):
        load_codec("encodec24")
    with pytest.raises(MissingWeights, match="no such file"):
        load_codec("encodec48", tmp_path)


def test_weights_of_encodec_with_another_checksum_are_refused(tmp_path):
    path = tmp_path / "encodec_48khz-7e698e3e.th"
    path.write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()[:12]
    with pytest.raises(BadFile, match=f"sha256 {found}.*begin with 7e698e3e"):
        load_codec("encodec48", tmp_path)
