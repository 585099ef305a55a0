"""Fetching AMI from a site on this machine; a miniature of real excerpts."""

import hashlib
import io
import tarfile
from dataclasses import replace

import pytest
from recorded_tree import ami_tree, rttm_lines, write_sound, write_uem

from diarize.corpora import ami_fetching
from diarize.corpora.ami import AmiSettings, prepare_ami
from diarize.corpora.ami_fetching import fetch_ami, lay_out_clips
from diarize.errors import BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem

FEW = ("ES2004a", "IS1009b")


def packed_setup(tree, top="AMI-diarization-setup-2509d89"):
    """The archive of AMI-diarization-setup as GitHub makes it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in sorted((tree / "references").rglob("*")):
            archive.add(path, f"{top}/{path.relative_to(tree / 'references')}", recursive=False)
        readme = tarfile.TarInfo(f"{top}/README.md")
        archive.addfile(readme)
    return content.getvalue()


@pytest.fixture
def mirror(site, tmp_path, monkeypatch):
    """A site with two meetings and the references, and settings that fetch from it."""
    source = tmp_path / "source"
    ami_tree(source, FEW)
    sums = {}
    for meeting in FEW:
        path = f"{meeting}/audio/{meeting}.Mix-Headset.wav"
        content = (source / "corpus" / path).read_bytes()
        sums[meeting] = hashlib.sha256(content).hexdigest()
        site.put(f"amicorpus/{path}", content)
    monkeypatch.setattr(ami_fetching, "known_sha256", lambda microphone, meeting: sums[meeting])
    setup = site.put("setup.tar.gz", packed_setup(source))
    return AmiSettings(meetings=FEW, mirror=site.url("amicorpus/"), setup=setup)


def test_audio_and_references_are_fetched_into_their_layout_once(mirror, site, tmp_path):
    data = tmp_path / "data"
    fetched = fetch_ami(data, mirror)
    assert (fetched.path, fetched.what, fetched.is_new) == (data / "corpus", "2 meetings", True)
    assert "CC BY 4.0" in fetched.notes[0]
    files = sorted(str(one.relative_to(data)) for one in data.rglob("*") if one.is_file())
    assert files == [
        *(f"corpus/{one}/audio/{one}.Mix-Headset.wav" for one in FEW),
        *(f"references/only_words/rttms/test/{one}.rttm" for one in FEW),
        *(f"references/uems/test/{one}.uem" for one in FEW),
        *(f"references/word_and_vocalsounds/rttms/test/{one}.rttm" for one in FEW),
    ]
    assert prepare_ami(data, mirror).n_recordings == 2
    n_asked = len(site.asked)
    again = fetch_ami(data, mirror)
    assert (again.is_new, again.notes) == (False, ())
    assert len(site.asked) == n_asked


def test_what_is_there_is_not_fetched_again(mirror, site, tmp_path):
    fetch_ami(tmp_path / "data", mirror)
    lost = tmp_path / "data" / "corpus" / "IS1009b" / "audio" / "IS1009b.Mix-Headset.wav"
    lost.unlink()
    site.asked.clear()
    assert fetch_ami(tmp_path / "data", mirror).is_new
    assert [path for path, _ in site.asked] == ["amicorpus/IS1009b/audio/IS1009b.Mix-Headset.wav"]


def test_a_meeting_that_the_mirror_lacks_is_named_and_the_rest_is_fetched(mirror, site, tmp_path):
    del site.pages["amicorpus/ES2004a/audio/ES2004a.Mix-Headset.wav"]
    with pytest.raises(BadFile, match=r"ES2004a/audio/ES2004a\.Mix-Headset\.wav: .* \(404\)"):
        fetch_ami(tmp_path / "data", mirror)
    assert (tmp_path / "data/corpus/IS1009b/audio/IS1009b.Mix-Headset.wav").is_file()


def test_audio_that_is_not_the_known_one_is_refused(mirror, site, tmp_path):
    site.put("amicorpus/ES2004a/audio/ES2004a.Mix-Headset.wav", b"other")
    with pytest.raises(BadFile, match=r"ES2004a\.Mix-Headset\.wav: not the known file: 5 bytes"):
        fetch_ami(tmp_path / "data", mirror)
    assert not list((tmp_path / "data" / "corpus").rglob("ES2004a*.*"))
    assert fetch_ami(tmp_path / "data", replace(mirror, check=False)).is_new
    assert list((tmp_path / "data" / "corpus").rglob("ES2004a*.wav"))


def test_an_archive_that_is_not_the_references_is_refused(mirror, site, tmp_path):
    other = tmp_path / "other"
    write_uem(other / "references" / "uems" / "x.uem", "x")
    site.put("setup.tar.gz", packed_setup(other))
    with pytest.raises(BadFile, match="not BUT's AMI-diarization-setup"):
        fetch_ami(tmp_path / "data", mirror)


def test_offline_tells_what_is_missing_and_asks_nobody(mirror, site, tmp_path):
    with pytest.raises(BadFile, match="--offline was asked for; --references DIR"):
        fetch_ami(tmp_path / "data", mirror, offline=True)
    mine = AmiSettings(meetings=FEW, references=tmp_path / "source" / "references")
    with pytest.raises(BadFile, match=r"wav\): ES2004a, IS1009b; --offline was asked for"):
        fetch_ami(tmp_path / "data", mine, offline=True)
    assert site.asked == []


def test_a_folder_of_the_user_s_is_looked_into_and_nothing_is_written_there(mirror, site, tmp_path):
    source = tmp_path / "source"
    whole = AmiSettings(source / "corpus", source / "references", meetings=FEW)
    fetched = fetch_ami(tmp_path / "data", whole)
    assert (fetched.path, fetched.is_new) == (source / "corpus", False)
    more = AmiSettings(source / "corpus", source / "references", meetings=(*FEW, "TS3003a"))
    with pytest.raises(BadFile, match=r"1 of 3 .*: TS3003a; without --corpus they are fetched"):
        fetch_ami(tmp_path / "data", more)
    assert site.asked == []
    assert not (tmp_path / "data").exists()


def test_a_meeting_that_ami_has_not_is_refused_before_anything_is_asked(mirror, site, tmp_path):
    mine = AmiSettings(
        references=tmp_path / "source" / "references", meetings=("ES9999a",), mirror=site.url()
    )
    with pytest.raises(BadFile, match="meetings names 'ES9999a'; there is none such"):
        fetch_ami(tmp_path / "data", mine)
    assert site.asked == []


def test_far_meetings_that_ami_lacks_are_not_asked_for(site, tmp_path):
    source = tmp_path / "source"
    ami_tree(source, ["IS1003a", "IS1003b"], "train", "Array1-01")
    name = "IS1003a/audio/IS1003a.Array1-01.wav"
    site.put(name, (source / "corpus" / name).read_bytes())
    settings = AmiSettings(
        references=source / "references",
        microphone="array1_01",
        meetings=("IS1003a", "IS1003b"),
        mirror=site.url(),
    )
    fetched = fetch_ami(tmp_path / "data", settings)
    assert fetched.what == "1 meeting"
    assert fetched.notes[1] == "IS1003b: AMI has no Array1-01 of them; going on without"
    assert [path for path, _ in site.asked] == [name]


# A miniature of excerpts


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    for name in ("one", "two"):
        write_sound(folder / f"{name}.flac")
    turns = rttm_lines("one", [(0, 1, "a")]) + rttm_lines("two", [(1, 2, "b")])
    (folder / "train.rttm").write_text(turns)
    (folder / "train.uem").write_text("one NA 0 3\ntwo NA 0.5 3\n")
    return folder


def test_excerpts_are_laid_out_as_ami(clips, tmp_path):
    settings = AmiSettings(clips=clips, meetings=("one", "two"))
    data = tmp_path / "data"
    assert fetch_ami(data, settings).is_new
    assert not fetch_ami(data, settings).is_new
    assert (data / "corpus/one/audio/one.Mix-Headset.flac").is_file()
    assert list(read_rttm(data / "references/only_words/rttms/test/two.rttm")) == ["two"]
    prepare_ami(data, settings)
    assert read_uem(data / "all.uem")["two"].extent().start == 0.5


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ("train.rttm", r"no \.rttm file"),
        ("train.uem", r"no \.uem file"),
        ("one.flac two.flac", "no sound files"),
    ],
)
def test_excerpts_that_lack_something_are_refused(lost, told, clips, tmp_path):
    for name in lost.split():
        (clips / name).unlink()
    with pytest.raises(BadFile, match=told):
        lay_out_clips(clips, tmp_path / "data", AmiSettings())


def test_an_excerpt_without_turns_is_named(clips, tmp_path):
    write_sound(clips / "three.flac")
    with pytest.raises(BadFile, match=r"1 of 3 .*no turns of it in any \.rttm: three"):
        lay_out_clips(clips, tmp_path / "data", AmiSettings())


def test_ten_real_excerpts_are_a_miniature_of_ami(real_ami, tmp_path):
    names = tuple(f"trn{number:02d}" for number in range(10))
    settings = AmiSettings(clips=real_ami / "ami_clips", meetings=names)
    fetch_ami(tmp_path, settings)
    made = prepare_ami(tmp_path, settings)
    assert (made.n_recordings, made.duration_s) == (10, 300.0)
    whole = read_rttm(real_ami / "ami_clips" / "train.rttm")
    listed = read_rttm(tmp_path / "ref.rttm")
    assert list(listed) == list(names) == list(whole)
    for name in names:
        assert len(listed[name]) == len(whole[name])
        assert listed[name].labels() == whole[name].labels()
    assert {one.duration_s for one in read_manifest(made.manifest)} == {30.0}


def test_real_references_of_ami_fit_meetings_of_that_length_only(real_ami, tmp_path):
    write_sound(tmp_path / "ES2011a" / "audio" / "ES2011a.Mix-Headset.wav", 2.0)
    settings = AmiSettings(tmp_path, real_ami / "ami_reference" / "dev.rttm", meetings=("ES2011a",))
    with pytest.raises(BadFile, match=r"ES2011a \(audio 2\.000 s, reference to 11\d\d\.\d+ s\)"):
        prepare_ami(tmp_path / "data", settings)
