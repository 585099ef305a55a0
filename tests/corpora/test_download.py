"""Fetching files: whole or not at all, on from where a cut left them."""

import errno
import hashlib
import json
from types import SimpleNamespace

import pytest

from diarize.corpora import download
from diarize.corpora.download import Patience, Refused, Remote, fetch_file, fetch_files
from diarize.errors import BadFile

CONTENT = bytes(range(256)) * 40  # 10,240 bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HASTY = Patience(tries=3, first_wait_s=0.0, timeout_s=5.0)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_once(site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT), tmp_path / "deep" / "a.wav", SHA256)
    assert fetch_file(remote, patience=HASTY)
    assert remote.path.read_bytes() == CONTENT
    assert left_in(tmp_path / "deep") == ["a.wav"]
    assert not fetch_file(remote, patience=HASTY)
    assert site.asked == [("a.wav", None)]


def test_a_cut_connection_is_taken_up_where_it_ended(site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT, cuts=[4000, 1000]), tmp_path / "a.wav", SHA256)
    told = []
    fetch_file(remote, lambda *one: told.append(one), HASTY)
    assert remote.path.read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == [None, "bytes=4000-", "bytes=5000-"]
    assert told[-1] == ("a.wav", 10_240, 10_240)


def test_what_an_earlier_run_left_is_gone_on_from(site, tmp_path):
    url = site.put("a.wav", CONTENT, cuts=[4000])
    remote = Remote(url, tmp_path / "a.wav", SHA256)
    with pytest.raises(BadFile, match=r"ended after 4000 of 10240 bytes, 1 times; 4000 bytes are"):
        fetch_file(remote, patience=Patience(tries=1))
    assert left_in(tmp_path) == ["a.wav.part", "a.wav.part.json"]
    assert fetch_file(remote, patience=HASTY)
    assert remote.path.read_bytes() == CONTENT
    assert site.asked[-1] == ("a.wav", "bytes=4000-")
    assert left_in(tmp_path) == ["a.wav"]


def test_halves_of_two_versions_are_never_put_together(site, tmp_path):
    page = site.put("a.wav", b"old" * 2000, cuts=[3000], version='"old"')
    remote = Remote(page, tmp_path / "a.wav")
    with pytest.raises(BadFile):
        fetch_file(remote, patience=Patience(tries=1))
    site.put("a.wav", CONTENT, version='"new"')
    fetch_file(remote, patience=HASTY)
    assert remote.path.read_bytes() == CONTENT


@pytest.mark.parametrize("how", [{"knows_ranges": False}, {"version": None}, {"version": 'W/"1"'}])
def test_a_server_without_ranges_or_versions_sends_all_of_it_again(how, site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT, cuts=[4000], **how), tmp_path / "a.wav", SHA256)
    fetch_file(remote, patience=HASTY)
    assert remote.path.read_bytes() == CONTENT


def test_a_length_that_is_not_told_is_no_hindrance(site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT, tells_length=False), tmp_path / "a.wav", SHA256)
    fetch_file(remote, patience=HASTY)
    assert remote.path.read_bytes() == CONTENT


def test_all_of_it_left_by_a_stopped_run_is_taken_as_it_is(site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT), tmp_path / "a.wav", SHA256)
    (tmp_path / "a.wav.part").write_bytes(CONTENT)
    (tmp_path / "a.wav.part.json").write_text(json.dumps({"version": '"1"'}))
    fetch_file(remote, patience=HASTY)
    assert remote.path.read_bytes() == CONTENT
    assert site.asked == [("a.wav", "bytes=10240-")]


def test_more_than_there_is_is_fetched_anew(site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT), tmp_path / "a.wav", SHA256)
    (tmp_path / "a.wav.part").write_bytes(CONTENT + b"more")
    (tmp_path / "a.wav.part.json").write_text(json.dumps({"version": '"1"'}))
    fetch_file(remote, patience=HASTY)
    assert remote.path.read_bytes() == CONTENT


def test_a_note_of_the_version_that_is_broken_counts_for_nothing(site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT), tmp_path / "a.wav", SHA256)
    (tmp_path / "a.wav.part").write_bytes(b"something")
    (tmp_path / "a.wav.part.json").write_text("{")
    fetch_file(remote, patience=HASTY)
    assert remote.path.read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_nothing_is_left(site, tmp_path):
    wrong = "0" * 64
    remote = Remote(site.put("a.wav", CONTENT), tmp_path / "a.wav", wrong)
    with pytest.raises(BadFile, match=f"10240 bytes with the sha256 {SHA256}, expected {wrong}"):
        fetch_file(remote, patience=HASTY)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "told"), [(404, "no such file"), (410, "no such file"), (403, "does not give it")]
)
def test_what_is_not_there_is_named_with_its_address(code, told, site, tmp_path):
    url = site.put("a.wav", CONTENT, codes=[code])
    with pytest.raises(Refused, match=f"{url}: the server .*{told}.*{code}"):
        fetch_file(Remote(url, tmp_path / "a.wav"), patience=HASTY)
    assert len(site.asked) == 1


def test_a_server_that_fails_is_asked_again(site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT, codes=[503, 500]), tmp_path / "a.wav")
    assert fetch_file(remote, patience=HASTY)
    assert len(site.asked) == 3


def test_a_server_that_goes_on_failing_is_given_up(site, tmp_path):
    url = site.put("a.wav", CONTENT, codes=[503] * 9)
    with pytest.raises(BadFile, match=r"the server failed \(503\), 3 times"):
        fetch_file(Remote(url, tmp_path / "a.wav"), patience=HASTY)
    assert len(site.asked) == 3


def test_bytes_that_came_give_new_patience(site, tmp_path):
    remote = Remote(site.put("a.wav", CONTENT, cuts=[1000] * 9), tmp_path / "a.wav", SHA256)
    assert fetch_file(remote, patience=HASTY)
    assert len(site.asked) == 10


def test_nobody_at_the_address_is_told(tmp_path):
    from web_site import Site

    site = Site()
    url = site.url("a.wav")
    site.close()
    with pytest.raises(BadFile, match=r"cannot be fetched \(.*refused.*\), 3 times; 0 bytes"):
        fetch_file(Remote(url, tmp_path / "a.wav"), patience=HASTY)


def test_waits_grow(site, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(download.time, "sleep", waits.append)
    remote = Remote(site.put("a.wav", CONTENT, codes=[503] * 3), tmp_path / "a.wav")
    fetch_file(remote, patience=Patience(tries=4, first_wait_s=0.5))
    assert waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://a/b", "a.wav"])
def test_only_the_web_is_fetched_from(url, tmp_path):
    with pytest.raises(BadFile, match="expected http:// or https://"):
        fetch_file(Remote(url, tmp_path / "a.wav"))


def test_a_disk_that_is_full_is_told_and_what_came_is_kept(site, tmp_path, monkeypatch):
    remote = Remote(site.put("a.wav", CONTENT, cuts=[4000]), tmp_path / "a.wav", SHA256)
    with pytest.raises(BadFile):
        fetch_file(remote, patience=Patience(tries=1))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(download, "_append", full)
        with pytest.raises(BadFile, match=r"cannot be written \(No space left on device\)"):
            fetch_file(remote, patience=HASTY)
    fetch_file(remote, patience=HASTY)
    assert site.asked[-1] == ("a.wav", "bytes=4000-")
    assert remote.path.read_bytes() == CONTENT


def test_a_disk_without_room_is_told_before_anything_comes(site, tmp_path, monkeypatch):
    usage = SimpleNamespace(free=5000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: usage)
    remote = Remote(site.put("a.wav", CONTENT), tmp_path / "a.wav")
    with pytest.raises(BadFile, match=r"a\.wav.*\(0\.00 GB to come, 0\.00 GB are free\)"):
        fetch_file(remote, patience=HASTY)
    assert not (tmp_path / "a.wav.part").exists() or not (tmp_path / "a.wav.part").stat().st_size
    usage = SimpleNamespace(free=20_000)
    assert fetch_file(remote, patience=HASTY)


def test_what_one_server_lacks_stops_no_other_file(site, tmp_path):
    remotes = [
        Remote(site.url("gone.wav"), tmp_path / "gone.wav"),
        Remote(site.put("a.wav", CONTENT), tmp_path / "a.wav"),
        Remote(site.url("lost.wav"), tmp_path / "lost.wav"),
    ]
    with pytest.raises(BadFile, match=r"gone\.wav: .*\(404\); .*lost\.wav: .*1 others were fetch"):
        fetch_files(remotes, patience=HASTY)
    assert left_in(tmp_path) == ["a.wav"]
