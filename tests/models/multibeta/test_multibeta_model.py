"""The model of many betas: what it costs by hand, the way down, and which stage stands on which."""

from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file
from tiny_multibeta import chance, images, made, usable

from diarize.errors import BadCall, BadFile
from diarize.models.contract import Batch
from diarize.models.multibeta.objective import Denoised, diffusion_loss
from diarize.models.multibeta.sampler import path_by_noise, path_down, run_down


def test_each_head_counts_by_its_own_square_error():
    ones, noise = torch.ones(2, 3), torch.zeros(2, 3)
    losses = diffusion_loss(Denoised(noise, 2 * ones, ones, noise), 0.5)
    assert losses.total.item() == pytest.approx(4 + 0.5 * 1)
    assert losses.parts["noise"].item() == pytest.approx(4)


def of_one_image(sigma, mean, clean):
    """Latents whose encoder is known: the mean at level t is mean[t] * clean."""

    def guess(noisy, here, there):
        noise = (noisy - mean[here] * clean) / sigma[here]
        return noise, (mean[there] - mean[here]) * clean

    return guess


SIGMA = torch.linspace(0.1, 1.0, 11)[:, None].expand(11, 2)
MEAN = torch.linspace(1.0, 0.0, 11)


def test_with_the_truth_known_the_deterministic_way_ends_at_the_clean_mean_in_any_steps():
    clean = torch.tensor([[2.0, -1.0]])
    start = SIGMA[10] * torch.randn(1, 2, generator=chance())
    for n_steps in (1, 3, 10):
        path = path_down(10, n_steps)
        found = run_down(of_one_image(SIGMA, MEAN, clean), start, SIGMA, path, 0.0, chance())
        torch.testing.assert_close(found, clean)


def test_deterministic_steps_count_on_how_the_noise_changes():
    def of_normal_data(noisy, here, there):  # of deviation 1, whose mean stays
        return SIGMA[here] * noisy / (1 + SIGMA[here] ** 2), torch.zeros_like(noisy)

    start, path = torch.tensor([[1.0, -2.0]]), path_down(10, 10)
    # dz = noise dsigma is solved by z over sqrt(1 + sigma^2); the last step goes to the mean
    level = torch.linspace(0.1, 1.0, 11)
    exact = start / (1 + level[10] ** 2) ** 0.5 * (1 + level[1] ** 2) ** 0.5
    exact = exact - level[1] * (level[1] * exact / (1 + level[1] ** 2))
    plain = start
    for here, there in pairwise(path[:-1]):
        plain = plain - (level[here] - level[there]) * of_normal_data(plain, here, there)[0]
    plain = plain - level[1] * of_normal_data(plain, 1, 0)[0]
    found = run_down(of_normal_data, start, SIGMA, path, 0.0, chance())
    assert (found - exact).abs().max() < 0.25 * (plain - exact).abs().max()


def test_few_steps_are_shorter_where_noise_of_latents_in_use_goes_fast():
    level = torch.linspace(0, 1, 101)
    late, at_once = (level * 4 - 3).clamp(0, 0.99) + 0.01, 1 - 0.9 * (level == 0).float()
    path = path_by_noise(torch.stack([late, at_once, at_once], 1), 100, 10)
    assert (path[0], path[-1], len(path)) == (100, 0, 11)
    gaps = [here - there for here, there in pairwise(path)]
    assert max(gaps[:4]) < min(gaps[-4:])
    assert path_by_noise(late[:, None], 3, 50) == (3, 2, 1, 0)
    assert path_by_noise(torch.ones(11, 1), 10, 5) == path_down(10, 5)  # none goes: even steps


def test_ancestral_steps_keep_to_the_marginals_of_the_encoder():
    clean = torch.tensor([[2.0, -1.0]]).expand(20_000, 2)
    start = SIGMA[10] * torch.randn(20_000, 2, generator=chance(1))
    seen = {}
    guess = of_one_image(SIGMA, MEAN, clean)

    def noted(noisy, here, there):
        seen[here] = noisy
        return guess(noisy, here, there)

    run_down(noted, start, SIGMA, range(10, -1, -1), 1.0, chance(2))
    torch.testing.assert_close(seen[4].mean(0), 0.6 * clean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(seen[4].std(0), SIGMA[4], atol=0.01, rtol=0)


def test_without_the_movement_of_the_mean_the_way_ends_elsewhere():
    clean = torch.tensor([[2.0, -1.0]])
    start = SIGMA[10] * torch.randn(1, 2, generator=chance())

    def noise_alone(noisy, here, there):
        noise, moved = of_one_image(SIGMA, MEAN, clean)(noisy, here, there)
        return noise, torch.zeros_like(moved)

    found = run_down(noise_alone, start, SIGMA, path_down(10, 10), 0.0, chance())
    assert (found - clean).abs().max() > 0.1


@pytest.mark.parametrize(("eta", "path"), [(1.5, (2, 1)), (0.5, (1, 2)), (0.0, (2, 2))])
def test_a_way_that_does_not_lead_down_is_refused(eta, path):
    with pytest.raises(BadCall, match="expected"):
        run_down(
            of_one_image(SIGMA, MEAN, torch.ones(1, 2)),
            torch.ones(1, 2),
            SIGMA,
            path,
            eta,
            chance(),
        )


def test_images_go_in_and_come_out_at_any_trained_beta():
    model = usable()
    mean, sigma = model.encode(images(), 3.0)
    assert mean.shape == sigma.shape == (6, 3)
    assert model.decode(mean, 3.0).shape == (6, 64)
    assert not torch.equal(model.reconstruct(images(), 100.0), model.reconstruct(images()))
    for call in (model.encode, model.reconstruct, model.decode):
        with pytest.raises(BadCall, match=r"trained for betas from 0.1 to 100"):
            call(mean if call == model.decode else images(), 200.0)


def test_latents_at_the_lowest_beta_are_left_as_they_are():
    model, latents = usable(), torch.randn(4, 3, generator=chance())
    assert torch.equal(model.denoise(latents, 0.1, chance()), latents)
    assert not torch.equal(model.denoise(latents, 100.0, chance()), latents)


def test_samples_depend_on_their_chance_alone():
    model = usable()
    first, same, other = (model.sample(3, chance(seed), 4, 1.0) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_model_without_a_second_stage_says_so():
    with pytest.raises(BadCall, match="'diffusion' was not trained"):
        made().eval().sample(2, chance())
    one_beta = made(highest_beta=0.1, noise="image")
    assert one_beta.phases == ("autoencoder",)
    assert one_beta.betas(9) == pytest.approx([0.1])
    with pytest.raises(BadCall, match="no phase 'diffusion'; there is autoencoder"):
        one_beta.begin("diffusion")


def trained_first_stage(folder, name, seed):
    path = folder / f"{name}.safetensors"
    model = made(seed)
    save_file({key: value.clone() for key, value in model.state_dict().items()}, path)
    return path, model.stage_one_hash


def test_a_second_stage_takes_its_first_from_a_file(tmp_path):
    path, told = trained_first_stage(tmp_path, "first", 5)
    model = made(0, stage_one=path, stage_one_hash=told)
    model.begin("diffusion")
    assert model.stage_one_hash == told
    assert torch.equal(model.reconstruct(images()), made(5).reconstruct(images()))
    model.loss(Batch(images()), chance()).total.backward()
    assert model.encoder.out.layer.weight.grad is None


def test_another_first_stage_than_was_wanted_is_refused_with_both_hashes(tmp_path):
    _, wanted = trained_first_stage(tmp_path, "first", 5)
    other, found = trained_first_stage(tmp_path, "other", 6)
    with pytest.raises(BadFile, match=f"stage one {wanted}, and the autoencoder here is {found}"):
        made(stage_one=other, stage_one_hash=wanted).begin("diffusion")


def test_a_training_that_goes_on_over_another_file_is_refused_with_both_hashes(tmp_path):
    path, before = trained_first_stage(tmp_path, "first", 5)
    begun = made(stage_one=path)
    begun.begin("diffusion")
    _, now = trained_first_stage(tmp_path, "first", 6)  # in its place
    again = made(stage_one=path)
    again.begin("diffusion")
    with pytest.raises(BadFile, match=f"stage one {before}, and the autoencoder here is {now}"):
        again.load_state_dict(begun.state_dict())


def test_weights_of_two_stages_that_do_not_belong_together_are_refused():
    model = usable()
    before = model.stage_one_hash
    model.check_stages()
    with torch.no_grad():
        model.encoder.out.layer.bias.add_(1)
    with pytest.raises(BadFile, match=f"{before}.*{model.stage_one_hash}"):
        model.check_stages()
    with pytest.raises(BadFile, match=f"{before}.*{model.stage_one_hash}"):
        model.begin("diffusion")


def test_a_first_stage_of_another_size_or_none_is_refused(tmp_path):
    path = tmp_path / "first.safetensors"
    save_file({"encoder.out.layer.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(BadFile, match="of another model: encoder"):
        made(stage_one=path).begin("diffusion")
    with pytest.raises(BadFile, match=r"none.safetensors: no such file; train the first stage"):
        made(stage_one=tmp_path / "none.safetensors").begin("diffusion")
    path.write_bytes(b"nothing")
    with pytest.raises(BadFile, match="not a whole file of weights"):
        made(stage_one=path).begin("diffusion")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lowest_beta": 200.0}, "lowest_beta = 200.0 is above highest_beta = 100.0"),
        ({"lowest_beta": 0.0}, "lowest_beta = 0.0; a number above 0"),
        ({"widths": (4, 4, 4, 4)}, "a multiple of 16 would be right"),
        ({"n_values": 65}, "n_values = 65 is no 1 square planes"),
        ({"widths": ()}, "at least one"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changed, message):
    with pytest.raises(BadCall, match=message):
        made(**changed)


def test_images_of_another_size_or_without_values_are_refused():
    model = usable()
    with pytest.raises(BadCall, match="expected batch x 64"):
        model.encode(torch.zeros(2, 63), 1.0)
    with pytest.raises(BadCall, match="NaN or infinite"):
        model.reconstruct(torch.full((2, 64), torch.nan))
