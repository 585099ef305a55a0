"""VoxConverse: small trees in its exact layout, and fetching from a site on this machine."""

import hashlib
import io
import tarfile
import zipfile

import pytest
from recorded_tree import voxconverse_tree, write_rttm, write_sound

from diarize.corpora import voxconverse_fetching
from diarize.corpora.voxconverse import N_RECORDINGS, VoxConverseSettings, prepare_voxconverse
from diarize.corpora.voxconverse_fetching import fetch_voxconverse
from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import read_rttm

NAMES = ("aepyx", "aggyz")
TEST = VoxConverseSettings(recordings=NAMES)


@pytest.fixture
def tree(tmp_path):
    voxconverse_tree(tmp_path, NAMES)
    voxconverse_tree(tmp_path, ["abjxc"], "dev")
    return tmp_path


def test_recordings_are_listed_with_their_labels(tree):
    made = prepare_voxconverse(tree, TEST)
    assert (made.n_recordings, made.duration_s) == (2, 6.0)
    entries = read_manifest(made.manifest)
    assert [one.audio.parent.name for one in entries] == ["voxconverse_test_wav"] * 2
    assert list(read_rttm(tree / "ref.rttm")) == list(NAMES)


def test_both_parts_may_be_listed_together(tree):
    settings = VoxConverseSettings(parts=("dev", "test"), recordings=(*NAMES, "abjxc"))
    assert prepare_voxconverse(tree, settings).n_recordings == 3


@pytest.mark.parametrize(
    "place", ["test/audio", "voxconverse_test_wav/audio", "voxconverse_test_wav", "audio/test"]
)
def test_audio_is_found_where_people_keep_it(place, tree):
    source = tree / "corpus" / "test" / "voxconverse_test_wav"
    other = tree / "elsewhere" / place
    other.parent.mkdir(parents=True, exist_ok=True)
    source.rename(other)
    settings = VoxConverseSettings(corpus=tree / "elsewhere", recordings=NAMES)
    assert prepare_voxconverse(tree, settings).n_recordings == 2


def test_audio_beside_the_labels_is_found(tmp_path):
    write_sound(tmp_path / "test" / "aepyx.wav")
    write_rttm(tmp_path / "test" / "aepyx.rttm", "aepyx")
    settings = VoxConverseSettings(tmp_path, tmp_path, recordings=("aepyx",))
    assert prepare_voxconverse(tmp_path, settings).n_recordings == 1


def test_a_whole_part_must_be_whole(tree):
    with pytest.raises(BadFile, match=r"test: 2 \.rttm files; version 0\.3 has 232"):
        prepare_voxconverse(tree, VoxConverseSettings())


def test_half_a_corpus_is_told_by_id(tree, monkeypatch):
    monkeypatch.setitem(N_RECORDINGS, "test", 3)
    write_rttm(tree / "references" / "test" / "zzsba.rttm", "zzsba")
    write_sound(tree / "corpus" / "test" / "voxconverse_test_wav" / "extra.wav")
    with pytest.raises(BadFile) as told:
        prepare_voxconverse(tree, VoxConverseSettings())
    assert "2 of 4 recordings cannot be used" in str(told.value)
    assert "labels without audio (test/audio/ID.wav): zzsba" in str(told.value)
    assert "audio without labels (test/ID.rttm): extra" in str(told.value)
    settings = VoxConverseSettings(leave_out=("zzsba", "extra"))
    assert prepare_voxconverse(tree, settings).n_recordings == 2


def test_two_files_of_one_recording_are_told(tree):
    write_sound(tree / "corpus" / "test" / "audio" / "aepyx.wav")
    with pytest.raises(BadFile, match=r"two recordings with one id.*aepyx \(.*audio.* and "):
        prepare_voxconverse(tree, TEST)


def test_labels_about_another_recording_are_told(tree):
    write_rttm(tree / "references" / "test" / "aepyx.rttm", "aggyz")
    with pytest.raises(BadFile, match=r"has no turn of it: aepyx \(.*it is about aggyz\)"):
        prepare_voxconverse(tree, TEST)


def test_audio_shorter_than_its_labels_is_told(tree):
    write_sound(tree / "corpus" / "test" / "voxconverse_test_wav" / "aepyx.wav", 1.0)
    with pytest.raises(BadFile, match=r"aepyx \(audio 1\.000 s, reference to 2\.500 s\)"):
        prepare_voxconverse(tree, TEST)


def test_names_and_parts_that_are_none_are_told(tree):
    with pytest.raises(BadFile, match="recordings names 'nobody'"):
        prepare_voxconverse(tree, VoxConverseSettings(recordings=("aepyx", "nobody")))
    with pytest.raises(BadCall, match="name dev, test or both"):
        VoxConverseSettings(parts=())


# Fetching


@pytest.fixture
def vgg(site, tree, monkeypatch):
    """A site with the three archives of a corpus of three recordings, and its settings."""
    monkeypatch.setitem(N_RECORDINGS, "test", 2)
    monkeypatch.setitem(N_RECORDINGS, "dev", 1)
    archives = {"dev": io.BytesIO(), "test": io.BytesIO(), "labels": io.BytesIO()}
    for part, inside in (("dev", "audio"), ("test", "voxconverse_test_wav")):
        with zipfile.ZipFile(archives[part], "w") as archive:
            for path in sorted((tree / "corpus" / part / inside).iterdir()):
                archive.write(path, f"{inside}/{path.name}")
                archive.writestr(f"__MACOSX/{inside}/._{path.name}", b"no sound")
    with tarfile.open(fileobj=archives["labels"], mode="w:gz") as archive:
        for path in sorted((tree / "references").rglob("*.rttm")):
            archive.add(path, f"voxconverse-24bf60b/{path.relative_to(tree / 'references')}")
        archive.addfile(tarfile.TarInfo("voxconverse-24bf60b/README.md"))
    contents = {name: archive.getvalue() for name, archive in archives.items()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(voxconverse_fetching, "SHA256", sums)
    for part in ("dev", "test"):
        site.put(f"data/voxconverse_{part}_wav.zip", contents[part])
    labels = site.put("labels.tar.gz", contents["labels"])
    return {"site": site.url("data"), "labels": labels}


def files_in(folder):
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


def test_archives_are_fetched_unpacked_and_removed_once(vgg, site, tmp_path):
    settings = VoxConverseSettings(parts=("dev", "test"), **vgg)
    data = tmp_path / "data"
    fetched = fetch_voxconverse(data, settings)
    assert (fetched.what, fetched.is_new) == ("VoxConverse dev and test", True)
    assert "copyright stays with the owners" in fetched.notes[0]
    assert files_in(data) == [
        "corpus/dev/audio/abjxc.wav",
        "corpus/test/audio/aepyx.wav",
        "corpus/test/audio/aggyz.wav",
        "references/dev/abjxc.rttm",
        "references/test/aepyx.rttm",
        "references/test/aggyz.rttm",
    ]
    assert prepare_voxconverse(data, settings).n_recordings == 3
    n_asked = len(site.asked)
    assert not fetch_voxconverse(data, settings).is_new
    assert len(site.asked) == n_asked


def test_an_archive_that_was_cut_is_gone_on_with(vgg, site, tmp_path):
    page = site.pages["data/voxconverse_test_wav.zip"]
    page.cuts.append(1000)
    assert fetch_voxconverse(tmp_path / "data", VoxConverseSettings(**vgg)).is_new
    assert ("data/voxconverse_test_wav.zip", "bytes=1000-") in site.asked


def test_other_archives_are_refused_unless_they_are_meant(vgg, site, tmp_path, monkeypatch):
    known = {**voxconverse_fetching.SHA256, "test": "0" * 64}
    monkeypatch.setattr(voxconverse_fetching, "SHA256", known)
    with pytest.raises(BadFile, match=r"voxconverse_test_wav\.zip: not the known file"):
        fetch_voxconverse(tmp_path / "data", VoxConverseSettings(**vgg))
    mine = VoxConverseSettings(**vgg, check=False)
    assert fetch_voxconverse(tmp_path / "data", mine).is_new


def test_an_archive_without_what_is_wanted_is_told(vgg, site, tmp_path):
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", b"x")
    site.put("data/voxconverse_test_wav.zip", empty.getvalue())
    with pytest.raises(BadFile, match=r"not in the archive .*: aepyx, aggyz"):
        fetch_voxconverse(tmp_path / "data", VoxConverseSettings(**vgg, check=False))


def test_only_recordings_that_are_named_are_unpacked(vgg, tmp_path):
    fetch_voxconverse(tmp_path / "data", VoxConverseSettings(**vgg, recordings=("aggyz",)))
    assert files_in(tmp_path / "data" / "corpus") == ["test/audio/aggyz.wav"]


def test_a_folder_of_the_user_s_is_only_looked_into(vgg, site, tree, tmp_path):
    corpus, labels = tree / "corpus", tree / "references"
    whole = VoxConverseSettings(corpus, labels)
    assert not fetch_voxconverse(tmp_path / "data", whole).is_new
    (corpus / "test" / "voxconverse_test_wav" / "aggyz.wav").unlink()
    with pytest.raises(BadFile, match=r"\(ID\.wav\): aggyz; without --corpus they are fetched"):
        fetch_voxconverse(tmp_path / "data", whole)
    with pytest.raises(BadFile, match=r"no labels .* without --references they are fetched"):
        fetch_voxconverse(tmp_path / "data", VoxConverseSettings(corpus, tree / "none"))
    assert site.asked == []


def test_offline_asks_nobody(vgg, site, tmp_path):
    with pytest.raises(BadFile, match="--offline was asked for"):
        fetch_voxconverse(tmp_path / "data", VoxConverseSettings(**vgg), offline=True)
    assert site.asked == []
