import pytest
import torch
from torch.nn import functional

from diarize.errors import BadFile
from diarize.features.campplus import CamPlusPlus, load_campplus
from diarize.features.mel import kaldi_fbank

READER = "speech/librispeech/198/198-126831-0000.flac"
OTHER = "speech/librispeech/8770/8770-295462-0000.flac"


@pytest.fixture(scope="module")
def untrained():
    return CamPlusPlus().eval().requires_grad_(False)


@pytest.fixture
def mels():
    return torch.randn(3, 230, 80, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("n_frames", "n_halves"), [(1, 1), (2, 1), (3, 2), (150, 75), (301, 151)])
def test_frames_come_at_half_the_rate(untrained, n_frames, n_halves):
    assert untrained.frames(torch.zeros(2, n_frames, 80)).shape == (2, 512, n_halves)


def test_an_embedding_has_192_numbers(untrained, mels):
    assert untrained(mels).shape == (3, 192)
    assert untrained.embed(torch.zeros(5, 1024)).shape == (5, 192)


def test_a_row_of_a_batch_equals_the_row_alone(untrained, mels):
    together = untrained(mels)
    for row, alone in zip(together, mels, strict=True):
        torch.testing.assert_close(row, untrained(alone[None])[0], atol=1e-4, rtol=1e-4)


def test_pooling_all_frames_and_embedding_them_is_the_whole_network(untrained, mels):
    frames = untrained.frames(mels)
    pooled = torch.cat([frames.mean(-1), frames.std(-1)], dim=1)
    torch.testing.assert_close(untrained.embed(pooled), untrained(mels))


def test_two_halves_of_a_reader_are_closer_than_two_readers(campplus, real):
    takes = [real(READER, 1, 4), real(READER, 9, 4), real(OTHER, 1, 4), real(OTHER, 9, 4)]
    mels = torch.stack([kaldi_fbank(torch.from_numpy(take)) for take in takes])
    voice = functional.normalize(campplus(mels - mels.mean(1, keepdim=True)), dim=1)
    alike = voice @ voice.T
    same = min(alike[0, 1], alike[2, 3])
    assert same > 0.6
    assert same > alike[:2, 2:].max() + 0.3


def test_a_trained_network_only_infers(campplus, mels):
    assert not any(module.training for module in campplus.modules())
    assert not campplus(mels).requires_grad


def test_weights_of_another_network_are_refused_in_one_line(tmp_path):
    path = tmp_path / "other.pt"
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(BadFile, match=r"other.pt: not the weights of CAM\+\+ .*missing") as refused:
        load_campplus(path)
    assert "\n" not in str(refused.value)
