from itertools import pairwise

import numpy as np
import pytest
import torch

from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.features.campplus import CamPlusPlus
from diarize.features.speaker import (
    CampplusNetwork,
    VoiceMask,
    all_frames,
    load_speaker_network,
    summarise_voices,
)

N_PIECE = 100  # frames of the counting network in ten seconds


@pytest.fixture(scope="module")
def untrained_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "campplus.pt"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(CamPlusPlus().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def untrained(untrained_path):
    return CampplusNetwork(untrained_path)


@pytest.fixture
def features():
    return torch.randn(512, 60, generator=torch.Generator().manual_seed(0))


def masks_at_random(n_masks, n_frames, generator):
    """Masks of up to 150 frames, sorted, some of them across pieces."""
    firsts = np.sort(generator.integers(0, n_frames, n_masks))
    lengths = generator.integers(1, 150, n_masks)
    return [
        VoiceMask(int(first), generator.random(length) < 0.6)
        for first, length in zip(firsts, lengths, strict=True)
    ]


def heard(network, samples, masks, features=None):
    """Statistic by place, of those that came."""
    return {
        int(voice): statistic
        for voices, statistics in summarise_voices(network, samples, masks, heard=features)
        for voice, statistic in zip(voices, statistics, strict=True)
    }


def counted(mask, n_frames):
    """What the counting network must find under a mask: how many frames, and their sum."""
    numbers = mask.first + np.flatnonzero(mask.frames)
    inside = numbers[numbers < n_frames]
    return [len(inside), inside.sum()]


def test_a_mask_knows_its_end_and_middle():
    mask = VoiceMask(10, np.ones(5, bool))
    assert (mask.end, mask.middle) == (15, 12.5)


def test_the_statistics_of_two_sets_add_up_to_that_of_both(untrained, features):
    parts = untrained.summarise(features[:, :25]) + untrained.summarise(features[:, 25:])
    torch.testing.assert_close(parts, untrained.summarise(features))
    assert parts[0] == 60


def test_the_embedding_of_a_statistic_is_that_of_its_frames_at_unit_length(untrained, features):
    voice = untrained.embed(untrained.summarise(features)[None])
    pooled = torch.cat([features.mean(-1), features.std(-1)])[None]
    expected = torch.nn.functional.normalize(untrained.network.embed(pooled), dim=1)
    torch.testing.assert_close(voice, expected, atol=1e-4, rtol=1e-4)
    assert voice.norm() == pytest.approx(1)


def test_one_frame_has_a_voice_and_no_voices_have_none(untrained, features):
    alone = untrained.embed(untrained.summarise(features[:, :1])[None])
    assert alone.isfinite().all()
    assert alone.norm() == pytest.approx(1)
    assert untrained.embed(torch.zeros(0, untrained.statistic)).shape == (0, 192)


@pytest.mark.parametrize("n_frames", [1, 2, 77])
def test_the_samples_of_so_many_frames_give_so_many_frames(untrained, n_frames):
    n_samples = n_frames * untrained.hop_samples + untrained.reach_samples
    assert untrained.frames(torch.zeros(n_samples)).shape == (512, n_frames)


def test_a_voice_is_what_the_frames_under_its_mask_hold(counting, numbered, generator):
    n_frames = 730
    masks = masks_at_random(80, n_frames, generator)
    found = heard(counting, numbered(n_frames), masks)
    assert len(found) > 70
    for place, statistic in found.items():
        assert statistic.tolist() == counted(masks[place], n_frames)


def test_a_mask_over_several_pieces_is_one_voice(counting, numbered):
    mask = VoiceMask(50, np.ones(4 * N_PIECE, bool))
    found = heard(counting, numbered(600), [mask])
    assert found[0].tolist() == [400, sum(range(50, 450))]


def test_the_grouping_of_masks_does_not_matter(untrained, generator):
    samples = (0.1 * generator.normal(size=16_000 * 12)).astype(np.float32)
    masks = [VoiceMask(first, generator.random(100) < 0.5) for first in (0, 20, 380, 470, 505)]
    together = heard(untrained, samples, masks)
    assert sorted(together) == [0, 1, 2, 3, 4]
    for place in (1, 3):
        alone = heard(untrained, samples, [masks[place]])[0]
        torch.testing.assert_close(together[place], alone)


def test_each_voice_comes_once_and_no_later_than_the_piece_that_ends_it(counting, numbered):
    masks = [VoiceMask(first, np.ones(30, bool)) for first in (0, 60, 80, 95, 250)]
    groups = [places.tolist() for places, _ in summarise_voices(counting, numbered(300), masks)]
    assert groups == [[0, 1], [2, 3], [4]]


def test_what_lies_beyond_the_end_is_left_out(counting, numbered):
    masks = [
        VoiceMask(190, np.ones(50, bool)),  # ten frames inside
        VoiceMask(195, np.arange(50) > 20),  # none of those that count
        VoiceMask(200, np.ones(5, bool)),
        VoiceMask(900, np.ones(5, bool)),
    ]
    found = heard(counting, numbered(200), masks)
    assert {place: statistic.tolist() for place, statistic in found.items()} == {
        0: [10, sum(range(190, 200))]
    }


def test_an_empty_mask_is_left_out_and_no_mask_gives_nothing(counting, numbered):
    masks = [VoiceMask(3, np.zeros(10, bool)), VoiceMask(5, np.zeros(0, bool))]
    assert heard(counting, numbered(50), masks) == {}
    assert heard(counting, numbered(50), []) == {}
    assert counting.n_calls == 0


def test_pieces_in_which_nobody_counts_are_not_computed(counting, numbered):
    far_apart = np.zeros(5 * N_PIECE, bool)
    far_apart[[0, -1]] = True
    found = heard(counting, numbered(800), [VoiceMask(150, far_apart)])
    assert found[0].tolist() == [2, 150 + 649]
    assert counting.n_calls == 2


def test_each_piece_is_computed_once_however_many_voices_need_it(counting, numbered, generator):
    heard(counting, numbered(500), masks_at_random(200, 500, generator))
    assert counting.n_calls == 5


def test_memory_does_not_grow_with_the_recording(counting, numbered):
    masks = [VoiceMask(first, np.ones(30, bool)) for first in range(0, 2_000, 10)]
    kept = [counting.n_kept for _ in summarise_voices(counting, numbered(2_000), masks)]
    assert len(kept) == counting.n_calls == 20
    assert max(kept) <= 2


def test_progress_grows_and_ends_at_one_even_with_nobody(counting, numbered):
    told = []
    assert list(summarise_voices(counting, numbered(400), [], told.append)) == []
    assert all(earlier < later for earlier, later in pairwise(told))
    assert told[-1] == 1
    assert len(told) == 4


def test_a_recording_shorter_than_a_frame_has_one(counting, numbered):
    found = heard(counting, numbered(1)[:16], [VoiceMask(0, np.ones(3, bool))])
    assert found[0].tolist() == [1, 0]


@pytest.mark.parametrize("n_frames", [1, 99, 100, 149, 150, 730])
def test_all_frames_are_those_of_the_pieces_in_their_order(counting, numbered, n_frames):
    told = []
    found = all_frames(counting, numbered(n_frames), told.append)
    assert found[:, 0].tolist() == list(range(n_frames))
    assert len(told) == counting.n_calls == max(1, round(n_frames / N_PIECE))
    assert told == sorted(told)
    assert told[-1] == 1


def test_all_frames_are_what_the_network_makes_of_each_piece(untrained, generator):
    samples = (0.1 * generator.normal(size=16_000 * 15)).astype(np.float32)  # 10 s and 5 s
    found = all_frames(untrained, samples)
    assert found.shape == (750, 512)
    assert found.dtype == np.float16
    last = np.pad(samples[500 * untrained.hop_samples :], (0, untrained.reach_samples))
    with torch.inference_mode():
        expected = untrained.frames(torch.from_numpy(last)).T.numpy()
    np.testing.assert_allclose(found[500:], expected, rtol=1e-3, atol=1e-6)


def test_frames_that_are_there_are_not_computed_again(counting, numbered, generator):
    n_frames = 730
    masks = masks_at_random(80, n_frames, generator)
    features = all_frames(counting, numbered(n_frames))
    n_calls = counting.n_calls
    found = heard(counting, numbered(n_frames), masks, features)
    assert counting.n_calls == n_calls
    assert len(found) > 70
    for place, statistic in found.items():
        assert statistic.tolist() == counted(masks[place], n_frames)


def test_voices_need_no_gradient(untrained, generator):
    samples = (0.1 * generator.normal(size=16_000)).astype(np.float32)
    statistic = heard(untrained, samples, [VoiceMask(0, np.ones(20, bool))])[0]
    assert not statistic.requires_grad
    assert not untrained.frames(torch.from_numpy(samples)).requires_grad


def test_networks_are_found_by_name(untrained_path):
    network = load_speaker_network("campplus", untrained_path)
    assert network.dimension == 192
    with pytest.raises(BadCall, match="no embedder 'xvector'; there are campplus, ecapa"):
        load_speaker_network("xvector")


def test_weights_that_are_missing_or_strange_are_told_apart(tmp_path):
    with pytest.raises(MissingWeights, match="no such file"):
        load_speaker_network("campplus", tmp_path / "none.pt")
    (tmp_path / "notes.txt").write_text("not weights")
    with pytest.raises(BadFile, match=r"notes.txt: not the weights of CAM\+\+"):
        load_speaker_network("campplus", tmp_path / "notes.txt")
