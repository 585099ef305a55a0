"""Test images through a small model of many betas: results, scores, pages, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from diarize.config import build
from diarize.corpora.factors import FactorImages, read_set, save_sets
from diarize.corpora.factors_sprites import SpriteSettings, sprites
from diarize.errors import BadCall, BadFile
from diarize.inference.factors import FactorInferSettings, infer_factors
from diarize.inference.factors_report import sections_of
from diarize.inference.factors_results import read_factors, save_factors
from diarize.inference.factors_scores import (
    FactorScoreSettings,
    as_json,
    as_markdown,
    as_text,
    score_factors,
)
from diarize.models.multibeta.model import MultiBetaVAE

MODEL = {
    **{"n_values": 64, "n_latents": 3, "widths": [4, 4], "n_hidden": 8, "n_features": 4},
    **{"lowest_beta": 0.1, "highest_beta": 100.0, "n_knots": 4},
    "diffusion": {"n_steps": 12, "width": 8, "n_blocks": 1},
}
INFER = FactorInferSettings(
    n_levels=3,
    n_steps=3,
    few_steps=(2,),
    ancestral_steps=12,
    n_samples=20,
    n_shown=3,
    n_amounts=3,
    reach=200.0,
)
SCORE = FactorScoreSettings(n_dci=0, n_components=4)
SPRITES = SpriteSettings(side=8, n_levels=4, n_train=60, n_dev=0, n_test=30)
CARD = {"model": {"name": "multibeta"}, "checksum": "01234567"}


def model(**changed):
    settings = build(MultiBetaVAE.settings_type, MODEL | changed, "here")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = MultiBetaVAE(settings)
    made.begin(made.phases[-1])
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    sets = {part: sprites(count, part, SPRITES) for part, count in (("train", 60), ("test", 30))}
    save_sets(folder, sets, SPRITES, {})
    return folder


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    save_factors(folder / "many", infer_factors(model(), data, INFER, CARD, "many"))
    one = model(highest_beta=0.1, noise="image")
    save_factors(folder / "one", infer_factors(one, data, INFER, CARD, "one"))
    return folder


def test_a_result_has_latents_and_images_at_every_beta(data, results):
    made = read_factors(results / "many")
    np.testing.assert_allclose(made.betas, [0.1, 10**0.5, 100], rtol=1e-5)
    assert made.means.shape == (3, 30, 3)
    images = torch.from_numpy(read_set(data, "test").floats())
    mean, _ = model().encode(images, float(made.betas[1]))
    np.testing.assert_allclose(made.means[1], mean.numpy(), atol=1e-5)
    error = (images - model().decode(mean, float(made.betas[1]))).square().mean(1)
    np.testing.assert_allclose(made.psnr_db[1], (-10 * error.log10()).numpy(), atol=1e-3)
    assert made.edits.shape == (2, 3, 3, 64)
    assert {name: len(images) for name, images in made.samples.items()} == {
        "ancestral": 20,
        "2 steps": 20,
    }


def test_the_middle_of_an_edit_is_the_same_in_every_direction(results):
    edits = read_factors(results / "many").edits
    assert np.array_equal(edits[:, 0, 1], edits[:, 2, 1])
    assert not np.array_equal(edits[:, 0, 0], edits[:, 0, 2])


def test_the_same_seed_gives_the_same_result(data, results):
    again = infer_factors(model(), data, INFER, CARD, "many")
    first = read_factors(results / "many")
    for name, images in again.samples.items():
        assert np.array_equal(images, first.samples[name])
    assert np.array_equal(again.psnr_denoised_db, first.psnr_denoised_db)


def test_a_model_of_one_beta_has_no_way_down_and_no_samples(results):
    made = read_factors(results / "one")
    assert len(made.betas) == 1
    assert not made.samples
    assert len(made.psnr_denoised_db) == 0
    assert not made.about.can_denoise


def test_models_are_scored_side_by_side_at_each_beta(data, results):
    folders = {"many": results / "many", "one": results / "one"}
    scores = score_factors(data, folders, SCORE)
    assert [(one.model, round(one.beta, 2)) for one in scores.levels] == [
        ("many", 0.1),
        ("many", 3.16),
        ("many", 100.0),
        ("one", 0.1),
    ]
    assert all(0 <= one.mig <= 1 for one in scores.levels)
    assert scores.levels[3].psnr_denoised_db is None
    assert set(scores.distances) == {"many, ancestral", "many, 2 steps", "training images"}
    assert scores.distances["training images"] < scores.distances["many, ancestral"]
    assert "first 4 principal components" in scores.embedding
    told = json.loads(as_json(scores))
    assert len(told["tables"][0]["rows"]) == 4
    assert "| many" in as_markdown(scores)
    assert as_text(scores).count("one ") >= 1


def test_latents_that_are_the_factors_score_full_marks(data, results, tmp_path):
    made, test = read_factors(results / "one"), read_set(data, "test")
    known = test.levels.astype(np.float32)[None]
    told = {**vars(made), "means": known, "sigma": np.ones((1, 5), np.float32)}
    save_factors(tmp_path, type(made)(**told))
    settings = FactorScoreSettings(n_dci=30, n_components=4)
    (score,) = score_factors(data, {"exact": tmp_path}, settings).levels
    assert score.n_captured == 5
    assert score.mig > 0.7  # of thirty images, other factors seem to tell a little
    assert 0 < score.disentanglement < 1
    assert score_factors(data, {"exact": tmp_path}, SCORE).levels[0].disentanglement is None


def test_a_judge_may_say_what_the_distance_is_of(data, results):
    told = ("the mean of all pixels", lambda images: images.mean(1, keepdims=True))
    scores = score_factors(data, {"many": results / "many"}, SCORE, told)
    assert scores.embedding == "the mean of all pixels"


def test_where_nothing_is_known_of_images_scores_are_left_out_and_it_is_said(tmp_path):
    images = np.random.default_rng(0).integers(256, size=(30, 64)).astype(np.uint8)
    plain = FactorImages(images, np.zeros((30, 0), np.int64), ())
    save_sets(tmp_path, {"train": plain, "test": plain}, SPRITES, {})
    save_factors(tmp_path / "a", infer_factors(model(), tmp_path, INFER, CARD))
    scores = score_factors(tmp_path, {"a": tmp_path / "a"}, SCORE)
    assert {one.tad for one in scores.levels} == {None}
    assert "TAD, MIG and DCI are left out" in scores.notes[0]


def test_noise_that_was_replaced_is_said_with_the_scores(data, tmp_path):
    made = model(diffusion=MODEL["diffusion"] | {"schedule": "sinusoidal"})
    save_factors(tmp_path, infer_factors(made, data, INFER, CARD))
    assert "a squared sine stands in" in score_factors(data, {"a": tmp_path}, SCORE).notes[0]


def test_the_page_shows_ladders_edits_and_samples(data, results):
    sections = sections_of(data, results / "many", None, None, 10)
    assert [section.title for section in sections] == [
        *("Beta ladder", "Noise of latents", "Edits", "Images from nothing")
    ]
    assert all(section.pictures for section in sections)


def test_principal_directions_are_at_right_angles_and_the_first_is_the_longest():
    from diarize.inference.factors import _directions

    means = np.random.default_rng(0).normal(size=(200, 3)) @ np.array(
        [[3.0, 3.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.5]]
    )
    found = _directions(means, "principal")
    inner = found @ found.T
    assert np.abs(inner - np.diag(inner.diagonal())).max() < 1e-6
    assert inner.diagonal().tolist() == sorted(inner.diagonal(), reverse=True)
    np.testing.assert_allclose(_directions(means, "latents"), np.diag(means.std(0)))


def test_an_edit_outside_of_the_trained_betas_is_refused(data):
    settings = FactorInferSettings(**{**vars(INFER), "edit_beta": 101.0})
    with pytest.raises(BadCall, match=r"beta = 101; this model was trained for betas from 0.1"):
        infer_factors(model(), data, settings, CARD)


def test_weights_of_two_stages_that_do_not_belong_together_are_refused(data):
    mixed = model()
    wanted = mixed.stage_one_hash
    mixed.encoder.out.layer.bias.data += 1
    with pytest.raises(BadFile, match=f"{wanted}.*{mixed.stage_one_hash}"):
        infer_factors(mixed, data, INFER, CARD)


def test_results_of_other_images_or_models_are_refused(data, results, tmp_path):
    other = {"train": sprites(20, "train", SPRITES), "test": sprites(20, "dev", SPRITES)}
    save_sets(tmp_path, other, SPRITES, {})
    with pytest.raises(BadFile, match="made of other test images"):
        score_factors(tmp_path, {"many": results / "many"}, SCORE)
    with pytest.raises(BadCall, match="no model of many betas"):
        infer_factors(torch.nn.Linear(2, 2), data, INFER, CARD)
    with pytest.raises(BadFile, match="run diarize factors infer"):
        read_factors(Path(tmp_path) / "nothing")
