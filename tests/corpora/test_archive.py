import io
import tarfile
import zipfile

import pytest

from diarize.corpora.archive import unpack
from diarize.errors import BadFile

FILES = {"top/a.wav": b"one", "top/deep/b.wav": b"four", "top/readme.md": b"x"}


def zipped(path, files=FILES):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path, files=FILES):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def sounds(member):
    return member.name if member.suffix == ".wav" else None


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_files_go_where_they_are_given_a_place(pack, tmp_path):
    made = unpack(pack(tmp_path / "archive"), tmp_path / "out", sounds)
    assert [path.name for path in made] == ["a.wav", "b.wav"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "a.wav": b"one",
        "b.wav": b"four",
    }


def test_unpacking_goes_on_where_it_was_stopped(tmp_path):
    archive = zipped(tmp_path / "archive")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.wav").write_bytes(b"ONE")  # whole, by its length
    (out / "b.wav").write_bytes(b"fo")
    unpack(archive, out, sounds)
    assert (out / "a.wav").read_bytes() == b"ONE"
    assert (out / "b.wav").read_bytes() == b"four"


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_nothing_is_written_outside_the_folder(pack, tmp_path):
    archive = pack(tmp_path / "archive", {"../../evil.wav": b"x"})
    with pytest.raises(BadFile, match="would lie outside"):
        unpack(archive, tmp_path / "out", str)
    assert not (tmp_path.parent / "evil.wav").exists()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_broken_archive_is_told(pack, tmp_path):
    archive = pack(tmp_path / "archive", {"a.wav": bytes(range(256)) * 400})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadFile, match="no sound archive"):
        unpack(archive, tmp_path / "out", sounds)
    assert not list((tmp_path / "out").glob("*.wav"))


def test_damage_inside_a_zip_is_told(tmp_path):
    archive = zipped(tmp_path / "archive", {"a.wav": b"abcdefgh" * 100})
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"abcdefgh", b"abcdXfgh", 1))
    with pytest.raises(BadFile, match="no sound archive"):
        unpack(archive, tmp_path / "out", sounds)
    assert not list((tmp_path / "out").glob("*.wav"))
