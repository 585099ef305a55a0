"""Models of several views, tried on small PolyMNIST: files, scores by hand, what is refused."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from diarize.cli import main
from diarize.corpora.polymnist import PolymnistImages, prepare_polymnist
from diarize.corpora.polymnist_settings import PolymnistSettings
from diarize.corpora.view_sets import open_views
from diarize.errors import BadCall, BadFile
from diarize.inference.multiview import MultiviewInferSettings, try_views
from diarize.inference.multiview_report import MultiviewReportSettings, view_sections
from diarize.inference.multiview_results import on_the_same_data, read_about_views, read_made
from diarize.inference.multiview_scores import Judge, MultiviewScoreSettings, score_views
from diarize.inference.multiview_tables import (
    view_grids,
    views_json,
    views_markdown,
    views_text,
)
from diarize.models.contract import MultiviewModel, ViewLatents

TABLE = {"n_images": 200, "repetitions": 1, "n_dev": 20, "n_test": 60, "side": 16}
TABLE |= {"digit_side": 8, "batch": 20}
SIZE = 3 * 16 * 16
INFER = MultiviewInferSettings(n_train=100, n_made=10, n_samples=12, batch=8)


class Truthful:
    """Shared latents are the digit, private ones the quadrant; what is decoded says both."""

    view_sizes = (SIZE,) * 5
    priors = ("gaussian",)

    def __init__(self, truths):
        self.known = {key: torch.from_numpy(value) for key, value in truths.items()}
        self.n_drawn = 0

    def encode_views(self, values, present=None):
        truths = torch.stack([self.known[key(row)] for row in values])
        shared = torch.eye(10)[truths[:, 0]][:, None].expand(-1, 5, -1)
        private = torch.eye(4)[truths[:, 1:]]
        return ViewLatents(shared, shared, private, private, shared[:, 0])

    def decode_view(self, view, shared, private):
        made = torch.zeros(len(shared), SIZE)
        made[:, :10], made[:, 10:14] = shared, private
        return made

    def draw_prior(self, view, n_samples, generator, prior="gaussian"):
        drawn = torch.randint(10 if view is None else 4, (n_samples,), generator=generator)
        return torch.eye(10 if view is None else 4)[drawn]


class Reader:
    """A judge of what the truthful model decodes."""

    def judge(self, view, images):
        return images[:, :10], images[:, 10:14]

    def embed(self, view, images):
        return images[:, :14]


def key(row):
    return row.numpy().tobytes()


@pytest.fixture
def prepared(small_mnist):
    prepare_polymnist(small_mnist, PolymnistSettings(**TABLE))
    return small_mnist


def card(**others):
    settings = dataclasses.asdict(PolymnistSettings(**{**TABLE, **others}))
    settings.pop("mnist")
    data = {"corpus": "polymnist", "settings": settings}
    return {"model": {"name": "truthful"}, "checksum": "c" * 20, "data": data}


@pytest.fixture
def tried(prepared, tmp_path):
    known = {}
    for part in ("train", "test"):
        images = PolymnistImages(prepared, part, PolymnistSettings(**TABLE))
        every = np.arange(len(images))
        rows = zip(images.values(every), images.truths(every), strict=True)
        known |= {value.tobytes(): truth for value, truth in rows}
    model, folder = Truthful(known), tmp_path / "result"
    folder.mkdir()
    assert isinstance(model, MultiviewModel)
    try_views(model, card(), prepared, folder, INFER, name="it")
    return model, prepared, folder


def test_a_model_that_separates_what_is_shared_scores_so(tried):
    assert isinstance(Reader(), Judge)
    scores = score_views(tried[2], MultiviewScoreSettings(), Reader())
    accuracy = {
        name: np.mean([one.accuracy for one in each]) for name, each in scores.readings.items()
    }
    assert accuracy["z", "digit"] == accuracy["w", "quadrant"] == 1.0
    assert accuracy["z+w", "digit"] == 1.0
    assert accuracy["z", "quadrant"] < 0.5
    assert accuracy["w", "digit"] < 0.4
    made = {name: one.share for name, one in scores.made.items()}
    assert made["self digit"] == made["cross digit"] == made["of all others digit"] == 1.0
    assert made["own quadrant"] == made["unconditional, gaussian"] == 1.0
    assert scores.chances["own quadrant"] == 0.25
    assert scores.distances["rebuilt"] >= 0
    assert scores.notes == ()


def test_tables_stand_side_by_side_and_say_chance(tried):
    scores = score_views(tried[2], MultiviewScoreSettings(), Reader())
    grids = view_grids([scores, scores])
    assert [row[0] for row in grids[0].rows] == ["it", "it", "chance"]
    assert grids[1].rows[-1][0] == "chance"
    text = views_text([scores])
    assert "z -> digit" in text
    assert "the judge tells the digit of true images right" in text
    assert "| it" in views_markdown([scores])
    told = json.loads(views_json([scores]))
    assert told["systems"][0]["coherence"]["self digit"]["share"] == 1.0
    assert told["tables"][0]["title"].startswith("Classes read off latents")


def test_without_a_judge_only_latents_are_scored_and_that_is_said(tried):
    scores = score_views(tried[2], MultiviewScoreSettings())
    assert scores.made == {}
    assert "no judge was named" in scores.notes[0]
    assert scores.psnr_db is not None


def test_what_is_there_is_kept_and_another_seed_makes_it_anew(tried):
    model, data, folder = tried
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    assert names == [
        *("latents_test.safetensors", "latents_train.safetensors"),
        *("made.safetensors", "samples_gaussian.safetensors"),
    ]
    told = []
    try_views(model, card(), data, folder, INFER, notify=told.append)
    assert told == []
    (folder / "made.safetensors").write_bytes(b"half")
    try_views(model, card(), data, folder, INFER, notify=told.append)
    assert told == ["made"]
    other = dataclasses.replace(INFER, seed=2)
    try_views(model, card(), data, folder, other, notify=told.append)
    assert len(told) == 5
    assert read_about_views(folder).view_sizes == (SIZE,) * 5


def test_labels_that_are_absent_are_skipped_and_that_is_said(tried):
    from diarize.corpora.tensors import read_tensors, save_tensors

    folder = tried[2]
    for name in ("latents_train", "latents_test"):
        path = folder / f"{name}.safetensors"
        arrays, facts = read_tensors(path, ("shared", "private", "truths"))
        arrays["truths"][:, 1:] = -1
        save_tensors(path, arrays, facts)
    scores = score_views(folder, MultiviewScoreSettings())
    assert {label for _, label in scores.readings} == {"digit"}
    assert any("the quadrant of no datum is known" in note for note in scores.notes)


def test_a_report_shows_views_of_one_another_samples_and_maps(tried):
    sections = view_sections(tried[2], MultiviewReportSettings(n_examples=2, n_samples=3))
    assert [one.title for one in sections] == ["Views made of one another", "Samples", "Latents"]
    assert len(sections[0].pictures) == 2
    grid = sections[0].pictures[0].figure
    assert len(grid.axes) == 5 * (1 + 5 + 2)
    assert len(sections[1].pictures[0].figure.axes) == 5 * 3


def test_images_come_back_as_they_were_to_half_a_step(tried):
    images = open_views("polymnist", tried[1], "test", TABLE, "the test")
    made = read_made(tried[2], "made", ("true_1", "truths"))
    wanted = images.values(np.arange(10))[:, SIZE : 2 * SIZE]
    np.testing.assert_allclose(made["true_1"], wanted, atol=0.5 / 255)
    assert (made["truths"] == images.truths(np.arange(10))).all()


def test_results_on_other_data_are_not_compared(tried):
    about = read_about_views(tried[2])
    settings = about.data["settings"]
    for others, alike in (({"batch": 7}, True), ({"seed": 9}, False)):
        data = {**about.data, "settings": {**settings, **others}}
        assert on_the_same_data(about, dataclasses.replace(about, data=data)) == alike
    assert not on_the_same_data(about, dataclasses.replace(about, part="dev"))


def test_what_cannot_be_tried_is_refused(tried):
    model, data, folder = tried
    with pytest.raises(BadCall, match="no model of several views"):
        try_views(object(), card(), data, folder, INFER)
    with pytest.raises(BadFile, match="prepared with n_test = 60, and 50 is wanted"):
        try_views(model, card(n_test=50), data, folder, INFER)
    told = {**card(), "data": {"corpus": "digits", "settings": {}}}
    with pytest.raises(BadCall, match="corpus 'digits' has no views"):
        try_views(model, told, data, folder, INFER)
    with pytest.raises(BadFile, match="does not say what it was trained on"):
        try_views(model, {**card(), "data": {}}, data, folder, INFER)
    model.view_sizes = (SIZE,) * 4
    with pytest.raises(BadCall, match=r"views of 3840 values together; the model has views of"):
        try_views(model, card(), data, folder, INFER)
    with pytest.raises(BadFile, match=r"views\.json"):
        read_about_views(data)
    with pytest.raises(BadCall, match="n_made = 1; expected 2 or more"):
        MultiviewInferSettings(n_made=1)


def test_the_command_line_goes_all_the_way(prepared, tmp_path, capsys):
    conf = tmp_path / "tiny.toml"
    data = "\n".join(f"{name} = {value}" for name, value in TABLE.items())
    conf.write_text(
        f'[data]\ncorpus = "polymnist"\n{data}\n[model]\nname = "idmvae"\nn_shared = 2\n'
        "n_private = 2\n[[model.views]]\nside = 16\nwidths = [2, 2]\ncopies = 5\n"
        "[train]\nthreads = 1\n[train.phases.views]\nepochs = 1\n"
        "[infer]\nn_train = 100\nn_made = 4\nn_samples = 4\nthreads = 1\n"
        '[score]\njudge = "nobody"\n[report]\nn_examples = 1\nn_samples = 2\n'
    )
    exp = tmp_path / "exp" / "tiny"
    places = ["--conf", str(conf), "--data", str(prepared)]
    weights = str(exp / "train" / "model.safetensors")
    assert main(["train", *places, "--exp", str(exp / "train")]) == 0
    result = ["--result", str(exp / "result")]
    assert main(["images", "infer", *places, "--model", weights, "-o", str(exp / "result")]) == 0
    out = ["-o", str(exp / "score.json"), "--markdown", str(exp / "score.md")]
    assert main(["images", "score", *places, *result, *out]) == 0
    told = capsys.readouterr()
    assert "z -> digit" in told.out
    assert "nobody" in told.err
    page = ["--model", weights, "--score", str(exp / "score.json"), "-o", str(exp / "report.html")]
    assert main(["images", "report", *places, *result, *page]) == 0
    assert "Views made of one another" in (exp / "report.html").read_text()
