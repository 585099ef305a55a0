"""CelebA's own layout, in a miniature made here: faces, attributes, and who trains on which."""

import json

import numpy as np
import pytest
from PIL import Image

from diarize.cli import main
from diarize.corpora.celeba import read_face, read_lists
from diarize.corpora.factors import read_set
from diarize.corpora.supplies import make_supply, prepare
from diarize.errors import BadFile

NAMES = ("Bald", "Smiling", "Young")
TOLD = [(1, -1, 1), (-1, -1, 1), (1, 1, -1), (-1, 1, 1), (1, -1, -1)]
PARTS = (0, 0, 0, 1, 2)
SETTINGS = {"side": 8, "batch": 2}


@pytest.fixture
def corpus(tmp_path):
    """Five faces of one colour each, the third of two: red in the middle, blue around it."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    attributes = [str(len(TOLD)), " ".join(NAMES)]
    partition = []
    for number, (told, part) in enumerate(zip(TOLD, PARTS, strict=True), 1):
        name = f"{number:06d}.jpg"
        image = Image.new("RGB", (178, 218), (40 * number, 0, 0))
        if number == 3:
            image = Image.new("RGB", (178, 218), (0, 0, 255))
            image.paste((255, 0, 0), (25, 57, 153, 185))
        image.save(folder / "img_align_celeba" / name, quality=95)
        attributes.append(f"{name} " + " ".join(f"{one:2d}" for one in told))
        partition.append(f"{name} {part}")
    (folder / "list_attr_celeba.txt").write_text("\n".join(attributes) + "\n")
    (folder / "list_eval_partition.txt").write_text("\n".join(partition) + "\n")
    return folder


def test_faces_come_in_their_parts_with_their_attributes(corpus, tmp_path):
    summary = prepare("celeba", tmp_path / "made", {**SETTINGS, "celeba": str(corpus)}, "here")
    assert json.loads(summary.read_text())["images"] == {"train": 3, "dev": 1, "test": 1}
    train = read_set(tmp_path / "made", "train")
    assert train.n_planes == 3
    assert train.images.shape == (3, 3 * 8 * 8)
    assert train.levels.tolist() == [[1, 0, 1], [0, 0, 1], [1, 1, 0]]
    attributes, names = train.attributes()
    assert names == NAMES
    assert attributes[:, 1].tolist() == [False, False, True]
    supply = make_supply("celeba", tmp_path / "made", SETTINGS, "here")
    (batch,) = supply.epoch("autoencoder", 0)
    assert batch.inputs.shape == (2, 192)


def test_the_square_around_the_face_is_kept_red_plane_first(corpus):
    planes = read_face(corpus / "img_align_celeba" / "000003.jpg", 8).reshape(3, 8, 8)
    assert planes[0].min() > 200
    assert planes[1].max() < 60
    assert planes[2, 1:-1, 1:-1].max() < 30


def test_only_the_first_of_each_part_can_be_asked_for(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("CORPORA", str(tmp_path))
    prepare("celeba", tmp_path / "made", {**SETTINGS, "n_most": 2}, "here")
    assert read_set(tmp_path / "made", "train").levels.tolist() == [[1, 0, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("name", "line", "text", "message"),
    [
        ("list_attr_celeba.txt", 0, "6", r"line 1: found 6 images; the list has 5"),
        ("list_attr_celeba.txt", 3, "000002.jpg 1 0 1", r"line 4: .*3 of 1 and -1 would be right"),
        ("list_attr_celeba.txt", 3, "000002.jpg 1 1", r"line 4: .*3 of 1 and -1 would be right"),
        ("list_eval_partition.txt", 1, "000002.jpg 3", r"line 2: .*0, 1 or 2 would be right"),
        ("list_eval_partition.txt", 1, "", r"nothing of 000002.jpg"),
    ],
)
def test_a_list_that_is_not_sound_is_refused_by_its_line(corpus, name, line, text, message):
    lines = (corpus / name).read_text().splitlines()
    lines[line] = text
    (corpus / name).write_text("\n".join(lines))
    with pytest.raises(BadFile, match=message):
        read_lists(corpus)


def test_an_image_that_is_missing_or_is_not_an_aligned_one_is_refused(corpus, tmp_path):
    with pytest.raises(BadFile, match=r"000009.jpg: no such image"):
        read_face(corpus / "img_align_celeba" / "000009.jpg", 8)
    Image.new("RGB", (409, 687)).save(tmp_path / "wild.jpg")
    with pytest.raises(BadFile, match="409 x 687 pixels; 178 x 218, the aligned images"):
        read_face(tmp_path / "wild.jpg", 8)
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(BadFile, match="cannot be read as an image"):
        read_face(tmp_path / "broken.jpg", 8)


def test_without_the_corpus_it_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("CORPORA", str(tmp_path))
    with pytest.raises(BadFile, match=r"no folder named; celeba = DIR in \[data\], or \$CORPORA"):
        prepare("celeba", tmp_path, SETTINGS, "here")
    assert np.array(list(tmp_path.iterdir())).size == 0


def test_faces_go_all_the_way_from_files_to_scores(corpus, tmp_path, capsys):
    listed = corpus / "list_attr_celeba.txt"
    _, names, *told = listed.read_text().splitlines()
    parts = (corpus / "list_eval_partition.txt").read_text().splitlines()
    for number in range(6, 31):  # enough of the test part for five folds
        name = f"{number:06d}.jpg"
        image = Image.new("RGB", (178, 218), (8 * number, 255 - 8 * number, 0))
        image.save(corpus / "img_align_celeba" / name)
        told.append(f"{name} " + " ".join(str(2 * (number >> bit & 1) - 1) for bit in range(3)))
        parts.append(f"{name} 2")
    listed.write_text("\n".join([str(len(told)), names, *told]) + "\n")
    (corpus / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    conf, data, exp = tmp_path / "tiny.toml", tmp_path / "made", tmp_path / "exp"
    conf.write_text(
        f'[data]\ncorpus = "celeba"\nceleba = "{corpus}"\nside = 8\nbatch = 2\n'
        '[model]\nname = "multibeta"\nn_values = 192\nn_planes = 3\nwidths = [2, 4]\n'
        "n_latents = 3\nn_hidden = 8\nn_features = 4\nn_knots = 4\n"
        "[model.diffusion]\nn_steps = 6\nwidth = 8\nn_blocks = 1\n[train]\nthreads = 1\n"
        "[train.phases.autoencoder]\nepochs = 1\n[train.phases.diffusion]\nepochs = 1\n"
        "[infer]\nn_levels = 2\nn_steps = 2\nfew_steps = [2]\nancestral_steps = 4\n"
        "n_samples = 10\nn_shown = 2\nn_edited = 1\nn_amounts = 1\n"
        "[score]\nn_dci = 0\nn_components = 2\n"
    )
    places = ["--conf", str(conf), "--data", str(data)]
    weights, result = str(exp / "train" / "model.safetensors"), str(exp / "result")
    assert main(["prepare", "celeba", *places]) == 0
    assert main(["train", *places, "--exp", str(exp / "train")]) == 0
    made = ["factors", "infer", *places, "--model", weights, "--name", "tiny", "-o", result]
    assert main(made) == 0
    out = ["--result", result, "-o", str(exp / "score.json"), "--markdown", str(exp / "score.md")]
    assert main(["factors", "score", *places, *out]) == 0
    assert "TAD" in capsys.readouterr().out
