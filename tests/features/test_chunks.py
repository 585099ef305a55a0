"""Chunks of sound as values."""

import math

import pytest
import torch

from diarize.features.chunks import ChunkedSound, ChunkSettings, chunk_values

RATE_HZ = 16_000


def tone(hz, n_samples=16_384, size=1.0):
    return size * torch.sin(2 * math.pi * hz * torch.arange(n_samples) / RATE_HZ)


def values(sound, settings, chunks=(0,)):
    spectra = ChunkedSound(sound, settings).spectra(torch.tensor(chunks))
    return chunk_values(spectra, RATE_HZ, settings).view(
        len(chunks), settings.n_bands, settings.n_frames
    )


def test_the_paper_s_chunk_is_257_by_17_from_0_to_1():
    settings = ChunkSettings()
    assert settings.n_values == 4369
    chunk = values(tone(1000), settings)[0]
    assert chunk.min() == 0
    assert chunk.max() == 1
    assert (chunk[:, 1:-1].argmax(0) == 32).all()


def test_the_paper_s_chunk_forgets_how_loud_it_was():
    loud, soft = (values(tone(700, size=size), ChunkSettings()) for size in (1.0, 0.1))
    assert torch.allclose(loud, soft, atol=1e-4)


def test_a_level_that_is_kept_is_power_over_that_of_full_scale():
    settings = ChunkSettings(edges="sound", level="kept", full_db=0.0)
    chunk = values(tone(1000), settings, chunks=(3,))[0]
    assert chunk[32].tolist() == pytest.approx([1.0] * 17, rel=1e-3)
    soft = values(tone(1000, size=0.1), settings, chunks=(3,))[0]
    assert soft[32].tolist() == pytest.approx([0.01] * 17, rel=1e-3)


def test_power_of_two_who_share_no_frequency_adds_up():
    settings = ChunkSettings(edges="sound", level="kept", n_mels=40)
    one, other = tone(500), tone(2500)
    together = values(one + other, settings, (2,))
    apart = values(one, settings, (2,)) + values(other, settings, (2,))
    assert torch.allclose(together, apart, rtol=1e-3, atol=1e-7)


def test_spectra_add_up_whatever_the_sounds():
    settings = ChunkSettings(edges="sound")
    one, other = (torch.randn(8000, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
    index = torch.arange(ChunkedSound(one, settings).n_chunks)
    apart = ChunkedSound(one, settings).spectra(index) + ChunkedSound(other, settings).spectra(
        index
    )
    assert torch.allclose(ChunkedSound(one + other, settings).spectra(index), apart, atol=1e-3)


def test_the_chunks_cover_the_whole_of_a_recording():
    settings = ChunkSettings()
    for n_samples in (100, 4096, 4097, 6144, 6145):
        n_chunks = settings.n_chunks(n_samples)
        reach = [chunk * 2048 + settings.own_samples for chunk in range(n_chunks)]
        assert reach[-1] >= n_samples
        assert all(end < n_samples for end in reach[:-1])
        assert ChunkedSound(torch.zeros(n_samples), settings).n_chunks == n_chunks


def test_silence_stays_silence():
    for settings in (ChunkSettings(), ChunkSettings(n_mels=8, edges="sound", level="kept")):
        assert values(torch.zeros(5000), settings).abs().max() == 0


def test_every_mel_band_hears_something():
    settings = ChunkSettings(edges="sound", level="kept", n_mels=80)
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    assert values(noise, settings, (1,)).amin() > 0
