"""EnCodec behind our contract says what the package itself says; its weights are random."""

import pytest
import torch

pytest.importorskip("encodec", reason="the package encodec is not installed")

from diarize.codecs.contract import Codec, Encoded
from diarize.codecs.encodec import ENCODEC_24, ENCODEC_48, untrained
from diarize.errors import BadCall


def codec_of(kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return untrained(kind)


def sound(n_channels, n_samples):
    drawn = torch.randn(1, n_channels, n_samples, generator=torch.Generator().manual_seed(1))
    return 0.1 * drawn


@pytest.mark.parametrize(
    ("kind", "n_channels", "n_samples"), [(ENCODEC_24, 1, 3000), (ENCODEC_48, 2, 50_000)]
)
def test_codes_and_their_sound_are_the_package_s_own(kind, n_channels, n_samples):
    codec, given = codec_of(kind), sound(n_channels, n_samples)
    assert isinstance(codec, Codec)
    encoded = codec.encode(given)
    assert encoded.latents.shape[1] == codec.n_latents == 128
    assert encoded.codes.shape[1] == codec.n_codes
    with torch.no_grad():
        wanted = codec.model(given)
    torch.testing.assert_close(codec.decode_codes(encoded), wanted, atol=1e-5, rtol=0)


def test_latents_are_decoded_as_they_are():
    codec, given = codec_of(ENCODEC_24), sound(1, 2000)
    encoded = codec.encode(given)
    before = Encoded(codec.from_codes(encoded.codes), None, None, 2000)
    torch.testing.assert_close(codec.decode(before), codec.decode_codes(encoded))


def test_sound_with_other_channels_is_refused():
    with pytest.raises(BadCall, match=r"shape \(1, 2, 100\); encodec24 takes .* with 1"):
        codec_of(ENCODEC_24).encode(sound(2, 100))
