"""What codes are told by their neighbours: by hand, from both sides, and only where told before."""

import math

import pytest
import torch

from diarize.corpora.batch import Songs
from diarize.corpora.code_windows import CodeWindows
from diarize.errors import BadCall
from diarize.models.rqtransformer.direct import Beside, NextTo
from diarize.models.rqtransformer.order import beside, by_chance, known_first, put_in_order
from diarize.training.shipped import new_model

TABLE = {
    **{"rate_hz": 8000, "n_frames": 8, "width": 16, "n_blocks": 1, "n_heads": 2},
    **{"depth_width": 16, "n_depth_blocks": 1, "n_depth_heads": 2},
    "codec": {
        **{"sources": ["a", "b"], "hop": 16, "n_fft": 32, "n_bands": 6, "width": 8},
        **{"n_blocks": 1, "code_width": 4, "n_stages": 2, "rules": {"n_codes": 5}},
    },
}
N_SLOTS, N_CODES, PULL = 4, 5, 16.0


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn_codes(n_data=3, n_frames=8, seed=3):
    return torch.randint(N_CODES, (n_data, N_SLOTS, n_frames), generator=chance(seed))


def neighbours(before, after=None):
    """Of rows that have a frame before them, and one after them if it is told."""
    there = torch.ones(len(before), dtype=torch.bool)
    return Beside(before, before if after is None else after, there, there & (after is not None))


@pytest.fixture
def model():
    return new_model("rqtransformer", TABLE, "this test", 0)


@pytest.fixture
def counted(model):
    model.next_to.count(drawn_codes())
    return model


def by_hand(codes, slot, beside_it, code, after=False):
    """How much likelier a code is beside another than by itself, in nats, by plain counting."""
    rows = codes[:, slot]
    first, second = rows[:, :-1].flatten().tolist(), rows[:, 1:].flatten().tolist()
    pairs = [(b, a) if after else (a, b) for a, b in zip(first, second, strict=True)]
    single = (second.count(code) + 0.5) / (len(pairs) + 0.5 * N_CODES)
    there = [b for a, b in pairs if a == beside_it]
    return math.log((there.count(code) / single + PULL) / (len(there) + PULL))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_code_beside_another_is_as_likely_as_the_counts_say(counted, after):
    codes, frames = drawn_codes(), drawn_codes(seed=5)[0].T
    with torch.no_grad():
        terms = counted.next_to(counted.codec, frames, neighbours(frames, frames)).terms
    for row, slot, code in [(0, 0, 0), (1, 3, 2), (5, 2, 4)]:
        wanted = by_hand(codes, slot, int(frames[row, slot]), code, after)
        assert float(terms[row, slot, 2 if after else 1, code]) == pytest.approx(wanted, abs=1e-5)


def test_left_out_pairs_are_as_if_they_had_not_been_counted(model):
    """Of one window every pair but one is counted; or all, and that one is left out."""
    codes = drawn_codes(1)
    before, own = codes[:, :, 3], codes[:, :, 4]
    model.next_to.count(codes)
    found = model.next_to(model.codec, own, neighbours(before), without_own=True).terms[0, :, 1]
    rest = NextTo(N_SLOTS, N_CODES, 4)
    rest.count(codes[:, :, :4])
    rest.count(codes[:, :, 4:])
    pairs = rest.pairs[torch.arange(N_SLOTS), before[0]] * 32
    single = model.next_to.pairs.sum(1) * 32 + 0.5
    single /= single.sum(1, keepdim=True)
    wanted = ((pairs / single + PULL) / (pairs.sum(1, keepdim=True) + PULL)).log()
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_the_code_nearest_to_what_is_left_of_the_neighbour_is_the_likeliest_by_distance(model):
    books = model.codec.code_vectors().unflatten(0, (2, 2))
    before, own = drawn_codes(seed=6)[0].T, drawn_codes(seed=7)[0].T
    terms = model.next_to(model.codec, own, neighbours(before)).terms
    for row in range(8):
        for stem in range(2):
            first, second = before[row, 2 * stem : 2 * stem + 2]
            whole = books[stem, 0, first] + books[stem, 1, second]
            left = whole - books[stem, 0, own[row, 2 * stem]]
            for stage, vector in enumerate((whole, left)):
                nearest = ((books[stem, stage] - vector) ** 2).sum(1).argmin()
                assert terms[row, 2 * stem + stage, 3].argmax() == nearest


def test_where_no_neighbour_is_known_nothing_hangs_on_it(counted):
    own = drawn_codes()[0].T
    nobody = torch.zeros(len(own), dtype=torch.bool)
    told = [
        counted.next_to(counted.codec, own, Beside(one, one, nobody, nobody))
        for one in (own, (own + 1) % N_CODES)
    ]
    assert torch.equal(told[0].terms, told[1].terms)
    assert torch.equal(told[0].seen, told[1].seen)
    assert not told[0].terms[:, :, 1:].any()


def test_only_frames_told_before_are_beside_one():
    known = torch.ones(1, 6, 2, dtype=torch.bool)
    known[:, 2:4] = False
    order = known_first(known, 2)  # 0, 1, 4, 5, then 2 and 3
    codes = drawn_codes(1, 6)
    steps = codes.transpose(1, 2)[:, order.frames[0]]
    found = beside(steps, order.frames, torch.arange(6)[None])
    assert found.has_before.tolist() == [False, True, False, True, True, True]
    assert found.has_after.tolist() == [False, False, False, False, False, True]
    assert torch.equal(found.before[4], codes[0, :, 1])
    assert torch.equal(found.before[5], codes[0, :, 2])
    assert torch.equal(found.after[5], codes[0, :, 4])


def test_in_any_order_a_frame_told_later_is_never_beside_one():
    order = by_chance((20, 8, N_SLOTS), 2, 1.0, 1.0, chance(1))
    codes, chosen = drawn_codes(20), torch.arange(8).expand(20, -1)
    steps = codes.transpose(1, 2).gather(1, order.frames[..., None].expand(-1, -1, N_SLOTS))
    found = beside(steps, order.frames, chosen)
    told = put_in_order(codes, order)
    for step in range(8):
        later = told.clone()
        later[:, step:] = (later[:, step:] + 1) % N_CODES
        back = torch.empty_like(later).scatter_(2, order.slots, later)
        other = beside(back, order.frames, chosen[:, step : step + 1])
        for name in ("before", "after"):
            has = getattr(other, f"has_{name}")
            whole = getattr(found, name).unflatten(0, (20, 8))[:, step]
            assert torch.equal(getattr(other, name)[has], whole[has])


def test_after_counting_a_model_costs_about_what_its_counts_do():
    """Codes that mostly stay: what is learned later begins well below single codes."""
    model = new_model("rqtransformer", TABLE, "this test", 0)
    stays = torch.rand(64, N_SLOTS, 8, generator=chance(1)) < 0.9
    codes = drawn_codes(64)
    for frame in range(1, 8):
        codes[:, :, frame] = torch.where(
            stays[:, :, frame], codes[:, :, frame - 1], codes[:, :, frame]
        )
    model.begin("counts")
    name = torch.full((64,), int(model.codec.name, 16))
    first, second = (model.loss(CodeWindows(codes, codec=name), chance()) for _ in range(2))
    assert first.total.item() == pytest.approx(math.log(N_CODES), abs=1e-4)
    assert float(model.next_to.pairs.sum() * 32) == 2 * 64 * N_SLOTS * 7
    assert second.total.item() < 0.8
    model.eval()
    assert model.nats(codes)[:, :, 1:].mean() < 0.8


def test_codes_made_before_cost_what_the_sound_they_were_made_of_does():
    model = new_model("rqtransformer", TABLE, "this test", 0)
    stems = 0.1 * torch.randn(3, 2, 128, generator=chance())
    songs = Songs(stems.sum(1, keepdim=True), stems=stems)
    name = torch.full((3,), int(model.codec.name, 16))
    windows = CodeWindows(model.codes(stems), codec=name)
    model.begin("codes")
    costs = [model.loss(batch, chance(1)).total for batch in (songs, windows)]
    assert torch.equal(*costs)
    other = CodeWindows(windows.inputs, codec=name - torch.tensor([0, 0, name[0]]))
    with pytest.raises(BadCall, match="codes of the codec 000000000000; this model's is"):
        model.loss(other, chance())
