import numpy as np
import pytest
import torch

from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.features import ecapa
from diarize.features.speaker import VoiceMask, load_speaker_network, summarise_voices

pytest.importorskip("speechbrain", reason="speechbrain is not installed")


@pytest.fixture
def narrow(monkeypatch, tmp_path):
    """A network of an eighth of the width, untrained, read from its own checkpoint."""
    monkeypatch.setattr(ecapa, "WIDTHS", [128, 128, 128, 128, 384])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, network = ecapa._build()
    path = tmp_path / "embedding_model.ckpt"
    torch.save(network.state_dict(), path)
    return load_speaker_network("ecapa", path)


@pytest.mark.parametrize("n_frames", [20, 101])
def test_frames_come_every_ten_milliseconds(narrow, n_frames):
    samples = torch.randn(n_frames * narrow.hop_samples + narrow.reach_samples) * 0.1
    frames = narrow.frames(samples)
    assert frames.shape[0] == 384
    assert n_frames <= frames.shape[1] <= n_frames + 1
    assert not frames.requires_grad


def test_a_voice_has_192_numbers_and_unit_length(narrow, generator):
    samples = (0.1 * generator.normal(size=32_000)).astype(np.float32)
    masks = [VoiceMask(0, np.ones(50, bool)), VoiceMask(100, np.ones(1, bool))]
    ((places, statistics),) = summarise_voices(narrow, samples, masks)
    assert places.tolist() == [0, 1]
    assert statistics.shape == (2, narrow.statistic)
    assert statistics[:, 0].tolist() == [50, 1]
    voices = narrow.embed(statistics)
    assert voices.shape == (2, narrow.dimension) == (2, 192)
    torch.testing.assert_close(voices.norm(dim=1), torch.ones(2))


def test_two_voices_joined_are_the_mean_of_theirs_weighted_by_length(narrow, generator):
    frames = narrow.frames(torch.from_numpy(generator.normal(size=16_000).astype(np.float32)))
    first, second = narrow.summarise(frames[:, :30]), narrow.summarise(frames[:, 30:50])
    joined = narrow.embed((first + second)[None])[0]
    embeddings = narrow.embed(torch.stack([first, second]))
    expected = torch.nn.functional.normalize(30 * embeddings[0] + 20 * embeddings[1], dim=0)
    torch.testing.assert_close(joined, expected)


def test_missing_weights_say_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(ecapa, "WIDTHS", [64, 64, 64, 64, 192])
    for variable in ("DIARIZE_WEIGHTS", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(MissingWeights, match="speechbrain/spkrec-ecapa-voxceleb into") as missing:
        load_speaker_network("ecapa")
    assert "\n" not in str(missing.value)


def test_weights_in_the_hub_cache_are_found(narrow, monkeypatch, tmp_path):
    snapshot = tmp_path / "hub" / "models--speechbrain--spkrec-ecapa-voxceleb" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (tmp_path / "embedding_model.ckpt").rename(snapshot / "embedding_model.ckpt")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("DIARIZE_WEIGHTS", str(tmp_path / "none"))
    found = load_speaker_network("ecapa")
    samples = torch.ones(3_200)
    torch.testing.assert_close(found.frames(samples), narrow.frames(samples))


def test_weights_of_another_network_are_refused_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(ecapa, "WIDTHS", [64, 64, 64, 64, 192])
    path = tmp_path / "other.pt"
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(BadFile, match=r"other.pt: not the weights of ECAPA-TDNN .*missing"):
        load_speaker_network("ecapa", path)


def test_without_speechbrain_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "speechbrain.lobes.features", None)
    with pytest.raises(BadCall, match=r"pip install 'diarize-toolkit\[ecapa\]'"):
        load_speaker_network("ecapa")
