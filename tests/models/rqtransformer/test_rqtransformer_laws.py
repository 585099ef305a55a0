"""What the rqtransformer holds to: causality, probabilities that add up, drawing, filling in."""

import pytest
import torch

from diarize.errors import BadCall
from diarize.models.rqtransformer.order import Order, by_chance, known_first, put_back, put_in_order
from diarize.models.rqtransformer.sampling import Drawing, complete, generate, probabilities
from diarize.training.shipped import new_model

TABLE = {
    **{"rate_hz": 8000, "n_frames": 8, "width": 16, "n_blocks": 2, "n_heads": 2},
    **{"depth_width": 16, "n_depth_blocks": 2, "n_depth_heads": 2},
    "codec": {
        **{"sources": ["a", "b", "c"], "hop": 16, "n_fft": 32, "n_bands": 6, "width": 8},
        **{"n_blocks": 1, "code_width": 4, "n_stages": 2, "rules": {"n_codes": 5}},
    },
}
N_FRAMES, N_SLOTS, N_CODES = 6, 6, 5


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model():
    made = new_model("rqtransformer", TABLE, "this test", 0)
    return made.eval().requires_grad_(False)


def drawn_codes(n_data=2, n_frames=N_FRAMES):
    return torch.randint(N_CODES, (n_data, N_SLOTS, n_frames), generator=chance(3))


def an_order(n_data=2):
    return by_chance((n_data, N_FRAMES, N_SLOTS), 2, 1.0, 1.0, chance(4))


@pytest.mark.parametrize("order", [None, an_order()], ids=["in time", "by chance"])
def test_a_code_told_later_changes_no_odds_told_before_over_time_and_depth(model, order):
    codes = drawn_codes()
    odds = model.log_odds(codes, order)
    in_order = order or Order(
        torch.arange(N_FRAMES).expand(2, -1), torch.arange(N_SLOTS).expand(2, N_FRAMES, -1)
    )
    for step, turn in [(0, 0), (0, 3), (2, 5), (4, 1), (5, 5)]:
        changed = put_in_order(codes, in_order)
        changed[:, step, turn] = (changed[:, step, turn] + 1) % N_CODES
        other = model.log_odds(put_back(changed, in_order), order)
        moved = ((odds - other).abs() > 1e-6).any(3).any(0).flatten()
        place = step * N_SLOTS + turn
        assert not moved[: place + 1].any()
        if place + 1 < len(moved):
            assert moved[place + 1 :].any()


def test_every_code_before_matters_to_what_comes_in_later_frames(model):
    """The published attention saw the diagonal alone: no frame knew of another."""
    codes = drawn_codes(1)
    odds = model.log_odds(codes)[0, -1, 0]
    for frame in range(N_FRAMES - 1):
        other = codes.clone()
        other[:, :, frame] = (other[:, :, frame] + 1) % N_CODES
        assert (model.log_odds(other)[0, -1, 0] - odds).abs().max() > 1e-5


def test_nats_of_all_codes_at_once_are_the_sum_of_those_told_step_by_step(model):
    codes = drawn_codes()
    total = torch.zeros(2)
    for frame in range(N_FRAMES):
        for slot in range(N_SLOTS):
            seen = codes[:, :, : frame + 1].clone()
            seen[:, slot:, frame] = 0  # what is not told yet
            odds = model.log_odds(seen)[:, frame, slot].log_softmax(1)
            total -= odds.gather(1, codes[:, slot, frame][:, None])[:, 0]
    torch.testing.assert_close(model.nats(codes).sum((1, 2)), total, rtol=1e-4, atol=1e-4)


def test_probabilities_of_all_windows_add_up_to_one_in_any_order(model):
    """Of the last two codes told, all pairs; what was told before is the same in all."""
    order = an_order(1)
    told = put_in_order(drawn_codes(1), order)
    pairs = told.repeat(N_CODES**2, 1, 1)
    pairs[:, -1, -2] = torch.arange(N_CODES).repeat_interleave(N_CODES)
    pairs[:, -1, -1] = torch.arange(N_CODES).repeat(N_CODES)
    many = Order(order.frames.expand(len(pairs), -1), order.slots.expand(len(pairs), N_FRAMES, -1))
    nats = put_in_order(model.nats(put_back(pairs, many), many), many)
    assert (-nats[:, -1, -2:].sum(1)).exp().sum() == pytest.approx(1, abs=1e-4)
    assert nats[:, :-1].std(0).max() < 1e-5


def test_orders_hold_every_frame_and_code_once_and_stages_in_turn():
    order = by_chance((40, 12, N_SLOTS), 2, 0.5, 0.5, chance(1))
    assert (order.frames.sort(1).values == torch.arange(12)).all()
    assert (order.slots.sort(2).values == torch.arange(N_SLOTS)).all()
    assert (order.slots[:, :, 1::2] == order.slots[:, :, ::2] + 1).all()
    in_time = (order.frames.diff(dim=1) == 1).all(1)
    assert 5 < in_time.sum() < 35
    back = order.frames.diff(dim=1) < 0
    assert (back.sum(1) <= 1).all()  # one stretch is told last, itself in time
    codes = torch.arange(40 * N_SLOTS * 12).view(40, N_SLOTS, 12)
    assert torch.equal(put_back(put_in_order(codes, order), order), codes)


def test_what_is_known_is_told_before_what_is_not():
    known = torch.ones(1, 4, 3, dtype=torch.bool)
    known[0, 1, 0] = known[0, 2] = False
    order = known_first(known, 2)
    assert order.frames.tolist() == [[0, 3, 1, 2]]
    assert order.slots[0, 2].tolist() == [2, 3, 4, 5, 0, 1]


def test_temperature_divides_log_odds_and_zero_takes_the_likeliest():
    odds = torch.tensor([[0.3, 2.0, -1.0, 1.9]])
    for temperature in (0.5, 0.9, 1.0, 3.0):
        found = probabilities(odds, Drawing(temperature=temperature))
        torch.testing.assert_close(found, (odds / temperature).softmax(1))
    assert probabilities(odds, Drawing(temperature=0.0)).tolist() == [[0, 1, 0, 0]]
    torch.testing.assert_close(
        probabilities(odds, Drawing(temperature=0.001)), torch.tensor([[0.0, 1, 0, 0]])
    )


def test_top_k_and_top_p_leave_the_likeliest_and_what_they_are_to_each_other():
    odds = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()[None]
    two = torch.tensor([[0.625, 0.375, 0.0, 0.0]])
    torch.testing.assert_close(probabilities(odds, Drawing(top_k=2)), two)
    torch.testing.assert_close(probabilities(odds, Drawing(top_p=0.7)), two)
    assert (probabilities(odds, Drawing(top_p=0.01)) > 0).sum() == 1
    torch.testing.assert_close(probabilities(odds, Drawing(top_k=9)), odds.exp())


def test_codes_are_drawn_as_often_as_they_are_probable(model):
    beginning = drawn_codes(1, 1)[0]
    made = generate(model, 2000, 2, chance(), beginning=beginning)
    odds = model.log_odds(made[:1])[0, 1, 0].softmax(0)
    often = torch.bincount(made[:, 0, 1], minlength=N_CODES) / 2000
    assert (often - odds).abs().max() < 0.04


@pytest.mark.parametrize("drawing", [Drawing(), Drawing(0.7, 3, 0.9), Drawing(0.0)])
def test_with_a_cache_or_without_the_same_codes_are_drawn(model, drawing):
    codes, known = drawn_codes(3), torch.rand(3, N_FRAMES, 3, generator=chance(7)) < 0.5
    with_cache, without = (
        complete(model, codes, known, chance(5), drawing, cached=one) for one in (True, False)
    )
    assert torch.equal(with_cache, without)


def test_what_is_known_stays_as_it_is_and_chance_decides_the_rest(model):
    codes, known = drawn_codes(3), torch.rand(3, N_FRAMES, 3, generator=chance(7)) < 0.5
    made = [complete(model, codes, known, chance(seed)) for seed in (1, 1, 2)]
    is_known = known.repeat_interleave(2, 2).transpose(1, 2)
    assert all(torch.equal(one[is_known], codes[is_known]) for one in made)
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_what_is_missing_is_not_looked_at(model):
    codes, known = drawn_codes(1), torch.ones(1, N_FRAMES, 3, dtype=torch.bool)
    known[:, 2:4] = False
    other = codes.clone()
    other[:, :, 2:4] = (other[:, :, 2:4] + 1) % N_CODES
    made = [complete(model, one, known, chance()) for one in (codes, other)]
    assert torch.equal(*made)


def test_a_gap_is_filled_by_what_comes_after_it_too(model):
    codes, known = drawn_codes(1), torch.ones(1, N_FRAMES, 3, dtype=torch.bool)
    known[:, 2:4] = False
    order = known_first(known, 2)
    assert order.frames[0].tolist() == [0, 1, 4, 5, 2, 3]
    other = codes.clone()
    other[:, :, 5] = (other[:, :, 5] + 1) % N_CODES
    told = [model.log_odds(one, order)[0, 4] for one in (codes, other)]
    assert (told[0] - told[1]).abs().max() > 1e-5


def test_a_stem_is_told_by_the_others_of_its_frame(model):
    codes, known = drawn_codes(1), torch.ones(1, N_FRAMES, 3, dtype=torch.bool)
    known[:, :, 0] = False
    order = known_first(known, 2)
    other = codes.clone()
    other[:, 5, 0] = (other[:, 5, 0] + 1) % N_CODES  # the last stem's last code
    told = [model.log_odds(one, order)[0, 0, 4] for one in (codes, other)]
    assert (told[0] - told[1]).abs().max() > 1e-6


def test_more_frames_than_were_trained_are_named(model):
    with pytest.raises(BadCall, match=r"9 frames; this model was trained on 1 to 8 \(0\.0 s\)"):
        model.nats(drawn_codes(1, 9))
    with pytest.raises(BadCall, match="9 frames"):
        generate(model, 1, 9, chance())
    with pytest.raises(BadCall, match="a beginning of 4 frames of 4"):
        generate(model, 1, 4, chance(), beginning=drawn_codes(1, 4)[0])


def test_codes_of_another_codec_are_named(model):
    with pytest.raises(BadCall, match="4 codes a frame; this model tells 6"):
        model.nats(drawn_codes()[:, :4])
    with pytest.raises(BadCall, match=r"known \(2, 6, 2\)"):
        complete(model, drawn_codes(), torch.ones(2, 6, 2, dtype=torch.bool), chance())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"temperature": -1.0}, "temperature = -1"),
        ({"top_k": 0}, "top_k = 0"),
        ({"top_p": 0.0}, "top_p = 0"),
        ({"top_p": 1.5}, "top_p = 1.5"),
    ],
)
def test_ways_to_draw_that_there_are_not_are_named(settings, told):
    with pytest.raises(BadCall, match=told):
        Drawing(**settings)
