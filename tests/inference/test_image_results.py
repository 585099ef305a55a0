"""Results on mixtures of images: made set by set, kept, tied to their set, and scored."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from diarize.corpora.digit_mixtures import read_mixtures
from diarize.corpora.digit_sets import prepare_digits
from diarize.corpora.digit_settings import DigitSettings
from diarize.errors import BadCall, BadFile
from diarize.inference import image_report
from diarize.inference.image_batches import batches
from diarize.inference.image_comparison import compare, comparison_json, foot
from diarize.inference.image_results import MODES, Origin, place, read_about, read_result
from diarize.inference.image_scores import (
    ImageScoreSettings,
    learned,
    masked,
    of_true_classes,
    score_result,
)
from diarize.inference.image_sets import prepared_sets, read_checked
from diarize.inference.images import ImageInferSettings, attribute_sets, origin_of
from diarize.models.contract import Attribution

ORIGIN = Origin("seer", "msvae", "abcd", 1.0, 0.1, 0.1, {"pi": [0.1, 0.3], "b": 0.12})
SMALL = DigitSettings(n_test_mixtures=30, expert_batch=10, test_counts=(2, 3))


class Seer:
    """Knows the digits of `small_mnist` by their bright row, and so makes no mistake.

    Told K, it is as good; `calls` has the rows and counts it was asked for.
    """

    def __init__(self, n_errors=0):
        self.calls = []
        self.n_errors = n_errors

    def attribute(self, mixtures, count=None, *, n_samples=0, generator=None):
        self.calls.append((len(mixtures), count, n_samples))
        rows = mixtures.reshape(-1, 28, 28)[:, :10]
        pattern = rows.mean(dim=2) > 0.5
        pattern[: self.n_errors] = pattern[: self.n_errors].roll(1, dims=1)
        sources = torch.zeros(len(mixtures), 10, 28, 28)
        sources[:, range(10), range(10)] = 1.0
        presence = pattern.float()
        if n_samples:
            presence = torch.rand(pattern.shape, generator=generator)
        return Attribution(
            sources.flatten(2), pattern, torch.full((len(mixtures),), 0.75), presence
        )


class Blind:
    """Two sources of no class, each half of the mixture; must know that there are two."""

    def attribute(self, mixtures, count=None, *, n_samples=0, generator=None):
        if count != 2:
            raise BadCall(f"mixtures of {count} sources; this model is of 2 sources")
        return Attribution(torch.stack([mixtures / 2, mixtures / 2], dim=1))


@pytest.fixture
def data(small_mnist):
    prepare_digits(small_mnist, SMALL)
    return small_mnist


@pytest.fixture
def infer(data, tmp_path):
    def run(model, name="result", origin=ORIGIN, **settings):
        settings = ImageInferSettings(**{"batch": 8, **settings})
        return attribute_sets(model, data, tmp_path / name, settings, origin)

    run.folder = tmp_path / "result"
    return run


def test_every_prepared_test_set_is_done_with_the_number_of_sources_and_without(infer):
    seer = Seer()
    about = infer(seer)
    assert about == read_about(infer.folder)
    assert list(about.there) == ["test_K2", "test_K3", "test_bernoulli"]
    assert set(about.there.values()) == {("given", "unknown")}
    assert about.missing == {}
    assert {count for _, count, _ in seer.calls} >= {2, 3, None, 0, 1}


def test_a_result_has_the_images_of_streams_that_are_on_mixture_after_mixture(infer, data):
    infer(Seer())
    truth = read_mixtures(data / "test_bernoulli.safetensors")
    for mode in ("given", "unknown"):
        result = read_result(place(infer.folder, "test_bernoulli", mode))
        assert (result.pattern == truth.pattern).all()
        assert (result.counts == truth.pattern.sum(axis=1)).all()
        bright = result.images.reshape(-1, 28, 28)[:, :10].mean(axis=2).argmax(axis=1)
        assert bright.tolist() == np.nonzero(truth.pattern)[1].tolist()
        assert result.images.dtype == np.float16
        assert result.starts()[-1] + result.counts[-1] == len(result.images)
        assert (result.probability == 0.75).all()


def test_batches_go_by_count_where_it_is_given():
    counts = np.array([2, 1, 2, 2])
    told = [(rows.tolist(), count) for rows, count in batches(counts, "given", 2)]
    assert told == [([1], 1), ([0, 2], 2), ([3], 2)]
    told = [(rows.tolist(), count) for rows, count in batches(counts, "unknown", 3)]
    assert told == [([0, 1, 2], None), ([3], None)]


def test_what_a_model_cannot_do_is_left_out_and_said(infer):
    about = infer(Blind())
    assert about.there == {"test_K2": ("given",)}
    assert about.missing["test_K2 unknown"].startswith("mixtures of None sources")
    others = {f"{name} {mode}" for name in ("test_K3", "test_bernoulli") for mode in MODES}
    assert set(about.missing) == {"test_K2 unknown", *others}
    result = read_result(place(infer.folder, "test_K2", "given"))
    assert (result.pattern, result.presence, result.probability) == (None, None, None)
    assert (result.counts == 2).all()


def test_a_model_that_can_do_nothing_of_it_is_an_error(infer):
    with pytest.raises(BadCall, match="this model is of 2 sources"):
        infer(Blind(), sets=("test_K3",))
    with pytest.raises(BadCall, match="says nothing of mixtures"):
        infer(torch.nn.Linear(1, 1))


def test_finished_sets_are_kept_and_others_are_done_again(infer, data):
    infer(Seer(), sets=("test_K2",), unknown=False)
    path = place(infer.folder, "test_K2", "given")
    written = path.stat().st_mtime_ns
    again = Seer()
    infer(again, sets=("test_K2", "test_K3"), unknown=False)
    assert path.stat().st_mtime_ns == written
    assert {count for _, count, _ in again.calls} == {3}
    path.write_bytes(path.read_bytes()[:-10])  # a broken file is no result
    again = Seer()
    infer(again, sets=("test_K2",), unknown=False)
    assert len(again.calls) == 4
    assert read_result(path).identity["set"] == "test_K2"


@pytest.mark.parametrize("change", [{"batch": 5}, {"seed": 7}, {"n_samples": 1}])
def test_other_settings_or_weights_make_other_results(infer, change):
    infer(Seer(), sets=("test_K2",))
    other, heavier = Seer(), Seer()
    infer(other, sets=("test_K2",), **change)
    infer(heavier, sets=("test_K2",), origin=replace(ORIGIN, checksum="ffff"), **change)
    assert other.calls
    assert heavier.calls


def test_draws_hang_on_the_seed_and_the_batch_alone(infer):
    def presence(name, sets, seed=1):
        infer(Seer(), name, n_samples=2, sets=sets, seed=seed)
        return read_result(place(infer.folder.with_name(name), "test_K3", "unknown")).presence

    alone = presence("a", ("test_K3",))
    assert np.array_equal(alone, presence("b", ("test_K2", "test_K3")))
    assert not np.array_equal(alone, presence("c", ("test_K3",), seed=2))


def test_a_result_of_another_set_of_that_name_is_refused(infer, data):
    infer(Seer(), sets=("test_K2",))
    prepare_digits(data, replace(SMALL, seed=7))
    with pytest.raises(BadFile, match="made of another test_K2"):
        read_checked(infer.folder, data, "test_K2", "given")


def test_a_model_of_other_streams_than_the_set_is_refused(infer, data):
    prepare_digits(data, replace(SMALL, classes=tuple(range(9)), expert_batch=9))
    with pytest.raises(BadFile, match="mixtures of 9 streams; the model has 10"):
        infer(Seer())


def test_a_folder_without_results_says_what_makes_them(tmp_path, data):
    with pytest.raises(BadFile, match="run diarize images infer"):
        read_about(tmp_path)
    (tmp_path / "about.json").write_text("{}")
    with pytest.raises(BadFile, match="not what diarize images infer writes"):
        read_about(tmp_path)
    (data / "summary.json").write_text("{}")
    with pytest.raises(BadFile, match="tells of no mixtures to test on"):
        prepared_sets(data)


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"n_samples": -1}, {"given": False}])
def test_settings_that_cannot_be_meant_are_named(wrong):
    with pytest.raises(BadCall, match=next(iter(wrong))):
        ImageInferSettings(**{"unknown": "given" not in wrong, **wrong})


def test_the_origin_tells_what_was_learned_and_what_is_true():
    model = torch.nn.Module()
    model.register_buffer("presence", torch.tensor([0.25, 0.5]))
    model.register_buffer("scale", torch.tensor(0.125))
    settings = {"presence": 0.1, "noise_scale": 0.2, "labelled_share": 0.5}
    card = {"model": {"name": "msvae"}, "checksum": "12", "data": {"settings": settings}}
    origin = origin_of(model, card, "mine")
    assert origin == Origin("mine", "msvae", "12", 0.5, 0.1, 0.2, {"pi": [0.25, 0.5], "b": 0.125})
    settings |= {"presence_by_count": [0.0, 0.5, 0.5], "classes": [1, 2, 3], "n_letters": 2}
    assert origin_of(model, card).presence == pytest.approx(1.5 / 5)
    assert origin_of(object(), {"model": {"name": "x"}, "checksum": ""}).learned == {}


def of_set(infer, data, model, name="test_K2", mode="given"):
    infer(model, origin=replace(ORIGIN, checksum=type(model).__name__))
    truth = read_mixtures(data / f"{name}.safetensors")
    return read_checked(infer.folder, data, name, mode), truth


def test_patterns_are_scored_and_rows_say_what_was_told(infer, data):
    result, truth = of_set(infer, data, Seer(n_errors=2))
    row = score_result(result, truth, ORIGIN, ImageScoreSettings())
    assert (row.system, row.set_name, row.told) == ("seer", "test_K2", "K and classes")
    assert (row.patterns.exact.n, row.patterns.exact.n_right) == (30, 22)  # two of each batch of 8
    assert row.patterns.count.rate == 1
    blind, _ = of_set(infer, data, Blind())
    row = score_result(blind, truth, ORIGIN, ImageScoreSettings())
    assert (row.told, row.patterns) == ("K", None)
    assert {one.scores.pairing for one in row.separations} == {"permutation"}


def test_images_are_paired_by_class_as_far_as_the_model_has_any(infer, data):
    result, truth = of_set(infer, data, Seer())
    row = score_result(result, truth, ORIGIN, ImageScoreSettings())
    assert [(one.variant, one.scores.pairing) for one in row.separations] == [
        ("decoded", "order"),
        ("decoded", "permutation"),
        ("masked", "order"),
        ("masked", "permutation"),
    ]
    order, permutation = row.separations[:2]
    # the seer draws the bright row and not the binary number in row 20
    true = truth.source_array().reshape(-1, 784)
    missed = np.square(true - result.images.astype(np.float32)).mean(axis=1)
    assert order.scores.psnr_db == pytest.approx(float(-10 * np.log10(missed).mean()), abs=1e-4)
    assert permutation.scores.psnr_db == pytest.approx(order.scores.psnr_db)
    assert order.judged is None


def test_with_an_unknown_number_a_missed_class_is_black(infer, data):
    result, truth = of_set(infer, data, Seer(n_errors=1), mode="unknown")
    images = result.images.astype(np.float32)
    found = of_true_classes(result, truth, images)
    bright = found.reshape(30, 2, 28, 28)[:, :, :10].mean(axis=3)
    for row in range(30):
        for shown, stream in zip(bright[row], np.flatnonzero(truth.pattern[row]), strict=True):
            assert shown[stream] == float(result.pattern[row, stream])
            assert shown.sum() == shown[stream]
    row = score_result(result, truth, ORIGIN, ImageScoreSettings(variants=("decoded",)))
    assert [one.scores.pairing for one in row.separations] == ["class"]


def test_sets_of_unequal_numbers_have_patterns_and_no_images(infer, data):
    result, truth = of_set(infer, data, Seer(), "test_bernoulli", "unknown")
    row = score_result(result, truth, ORIGIN, ImageScoreSettings())
    assert row.told == "classes"
    assert row.separations == ()
    assert row.patterns.exact.rate == 1


def test_masked_images_sum_to_the_mixture_where_there_is_any_image():
    chance = np.random.default_rng(0)
    images = chance.random((5, 4)).astype(np.float32)
    images[:2, 0] = 0
    mixtures = chance.random((3, 4)).astype(np.float32)
    shares = masked(images, np.array([2, 0, 3]), mixtures)
    assert np.allclose(shares[:2].sum(axis=0)[1:], mixtures[0, 1:])
    assert (shares[:2, 0] == 0).all()
    assert np.allclose(shares[2:].sum(axis=0), mixtures[2])


def test_a_judge_sees_each_image_as_it_was_paired(infer, data):
    def judge(images):
        rows = images.reshape(-1, 28, 28)[:, :10].mean(axis=2)
        return (rows == rows.max(axis=1, keepdims=True)).astype(np.float32)

    infer(Seer(n_errors=1))
    made = compare(data, infer.folder, {}, ImageScoreSettings(variants=("decoded",)), judge)
    assert (made.judge.n_right, made.judge.n) == (200, 200)
    by_pairing = {one.scores.pairing: one.judged for one in made.rows[0].separations}
    assert by_pairing["permutation"].n == 60
    assert by_pairing["order"].n_right <= by_pairing["permutation"].n_right < 60
    assert "is right on 100.00 % of 200" in " ".join(foot(made))


def test_systems_stand_side_by_side_set_after_set(infer, data, tmp_path):
    infer(Seer())
    infer(Blind(), "blind", replace(ORIGIN, name="vaebss", learned={"b": 0.5}))
    made = compare(data, infer.folder, {"halves": tmp_path / "blind"}, ImageScoreSettings())
    told = [(row.set_name, row.system, row.told) for row in made.rows]
    assert told[:3] == [
        ("test_K2", "seer", "K and classes"),
        ("test_K2", "seer", "classes"),
        ("test_K2", "halves", "K"),
    ]
    assert len(told) == 7
    titles = [grid.title for grid in made.grids()]
    assert titles == [
        "which streams are on",
        "F1 of each class, seer",
        "separated images",
        "what was learned, and the truth",
        "seconds a batch (median)",
    ]
    assert made.grids()[3].rows == (
        ("seer", "0.2000", "0.1000", "0.3000", "0.1000", "0.1200", "0.1000"),
        ("halves", "-", "-", "-", "0.1000", "0.5000", "0.1000"),
    )
    assert any(note.startswith("halves, test_K3 given: ") for note in made.notes)
    values = json.loads(comparison_json(made))
    assert [row["system"] for row in values["rows"][:3]] == ["seer", "seer", "halves"]
    assert values["rows"][0]["patterns"]["exact"]["rate"] == 1
    assert values["judge"] is None
    with pytest.raises(BadCall, match="a name of its own"):
        compare(data, infer.folder, {"seer": tmp_path / "blind"}, ImageScoreSettings())


def test_another_system_s_results_of_other_sets_are_left_out_and_said(infer, data, tmp_path):
    infer(Seer(), "old", sets=("test_K2",))
    prepare_digits(data, replace(SMALL, seed=7))
    infer(Seer(), sets=("test_K2",))
    made = compare(data, infer.folder, {"old": tmp_path / "old"}, ImageScoreSettings())
    assert {row.system for row in made.rows} == {"seer"}
    assert made.notes[0].startswith("old left out: ")
    with pytest.raises(BadFile, match="made of another test_K2"):
        compare(data, tmp_path / "old", {}, ImageScoreSettings())


def test_what_was_not_learned_or_is_not_known_is_none():
    assert learned(Origin("a", "b", "c")) == learned(replace(ORIGIN, name="a")).__class__(
        "a", None, None, None, None
    )


def test_examples_in_a_report_are_right_and_wrong_ones_by_the_seed(infer, data, monkeypatch):
    shown = []
    monkeypatch.setattr(image_report, "separations", lambda rows, names: shown.append(rows))
    infer(Seer(n_errors=2), sets=("test_K2",), given=False)

    def drawn(seed):
        shown.clear()
        settings = image_report.ImageReportSettings(n_examples=3, seed=seed)
        (section,) = image_report.example_sections(data, infer.folder, settings)
        assert [picture.caption.split(":")[0] for picture in section.pictures] == [
            "all streams right",
            "not all right",
        ]
        return [[row.mixture.tobytes() for row in rows] for rows in shown]

    first = drawn(1)
    assert [len(rows) for rows in first] == [3, 3]
    assert all(row.classes == row.true_classes for row in shown[0])
    assert all(row.classes != row.true_classes for row in shown[1])
    assert drawn(1) == first
    assert drawn(2) != first
