"""Deblending, operators and the law of masks, on numbers done by hand."""

import pytest
import torch

from diarize.errors import BadCall
from diarize.models.composable.config import LossSettings
from diarize.models.composable.objective import continuity, masks_of, ranked, register
from diarize.models.composable.sampler import blended, clean_of, composed, deblend


@pytest.mark.parametrize("n_steps", [1, 3, 50])
@pytest.mark.parametrize("bend", [1.0, 2.0])
def test_with_the_truth_as_prediction_any_number_of_steps_ends_at_it(n_steps, bend):
    clean, noise = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    found = deblend(lambda data, level: clean, noise, n_steps, bend=bend)
    torch.testing.assert_close(found, clean)


def test_steps_lie_on_the_line_from_noise_to_data():
    clean, noise = torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
    met = []
    deblend(lambda data, level: met.append((level.item(), data.item())) or clean, noise, 4)
    assert met == [(0.0, 0.0), (0.25, 0.25), (0.5, 0.5), (0.75, 0.75)]


def test_a_step_by_differences_is_the_published_one():
    """x + (next - level) * difference, of a prediction that is not right."""
    noise, level = torch.tensor([[[2.0]]]), torch.zeros(1)
    clean = clean_of(torch.tensor([[[3.0]]]), noise, level)
    assert deblend(lambda data, at: clean if at == 0 else data, noise, 2).item() == 2 + 0.5 * 3


def test_clean_data_and_their_difference_to_noise_say_the_same():
    clean, noise, level = torch.randn(3, 2, 5), torch.randn(3, 2, 5), torch.tensor([0.0, 0.4, 0.9])
    noisy = blended(clean, noise, level)
    torch.testing.assert_close(clean_of(clean - noise, noisy, level), clean)


def test_what_is_imposed_is_there_at_every_step_and_at_the_end():
    known = torch.tensor([[[7.0], [0.0]]])
    seen = []

    def predict(data, level):
        seen.append(data[0, 0, 0].item())
        return torch.zeros_like(data)

    def impose(data):
        return torch.cat([known[:, :1], data[:, 1:]], 1)

    found = deblend(predict, torch.ones(1, 2, 1), 3, impose=impose)
    assert seen == [7.0, 7.0, 7.0]
    assert found[0, :, 0].tolist() == [7.0, 0.0]


def test_no_steps_are_refused():
    with pytest.raises(BadCall, match="0 steps"):
        deblend(lambda data, level: data, torch.zeros(1, 1, 1), 0)


def test_logarithms_of_what_adds_up_are_added_as_numbers():
    parts = torch.tensor([1.0, 3.0]).log().view(1, 2, 1, 1)
    found = [
        composed(parts, name, logarithmic=True).exp().item() for name in ("sum", "mean", "max")
    ]
    assert found == pytest.approx([4.0, 2.0, 3.0])


def test_an_operator_that_there_is_not_is_refused():
    with pytest.raises(BadCall, match="no operator 'product'; there are mean, sum, min, max"):
        composed(torch.zeros(1, 2, 1, 1), "product")


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_half_of_all_masks_hide_everything_and_no_mask_hides_nothing(n_components):
    drawn = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0))
    masks = masks_of(drawn, n_components, 0.5)
    assert masks.amax(1).min() == 1
    whole = (masks.sum(1) == n_components).float().mean().item()
    assert whole == pytest.approx(0.5 if n_components > 1 else 1.0, abs=0.02)
    if n_components > 1:
        some = masks[masks.sum(1) < n_components]
        kinds, counts = some.unique(dim=0, return_counts=True)
        assert len(kinds) == 2**n_components - 2
        assert (counts / counts.sum()).tolist() == pytest.approx(
            [1 / len(kinds)] * len(kinds), abs=0.03
        )


def test_a_held_tone_is_steady_and_a_stroke_is_even():
    tone, stroke = torch.zeros(1, 1, 9, 9), torch.zeros(1, 1, 9, 9)
    tone[..., 4, :], stroke[..., :, 4] = 1.0, 1.0
    right = torch.cat([tone, stroke], 1)
    settings = LossSettings(steady=(1.0, 0.0), even=(0.0, 1.0))
    assert continuity(right, settings) < 1e-3
    assert continuity(right.flip(1), settings) > 0.1


def test_low_sound_in_the_low_component_costs_nothing_and_each_octave_outside_costs_more():
    settings = LossSettings(high=(1.0, 0.0), low=(0.0, 1.0), compression=0.5)
    octaves = torch.tensor([-2.0, -1.0, 1.0, 2.0])
    right = torch.zeros(1, 2, 4, 3)
    right[:, 0, :2], right[:, 1, 2:] = 1.0, 1.0
    assert register(right, octaves, settings) < 1e-3
    assert register(right.flip(1), octaves, settings).item() == pytest.approx(1.5, rel=1e-3)
    farther = right.roll(1, 2)  # the low component's sound at -1 and 1, the high one's at 2 and -2
    assert register(farther, octaves, settings).item() == pytest.approx((1 + 2) / 4, rel=1e-3)


def test_rows_are_ranked_by_parts_and_not_by_loudness():
    energies = torch.tensor([[90.0, 30.0], [0.2, 0.01], [5.0, 50.0]])
    assert ranked(energies, 2).tolist() == [[1, 0], [2, 0]]
