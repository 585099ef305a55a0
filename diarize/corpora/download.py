"""Files from the web that appear whole or not at all, and go on where a cut left them.

What has come is kept beside the file, as NAME.part with the server's mark for that version in
NAME.part.json; the next call asks for the rest only. A server that sends all of it again, or a
newer version, is followed. At the end the length, and the checksum where one is known, decide.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import BadFile

BLOCK = 1 << 18
_OF_THE_NETWORK = (
    *(urllib.error.URLError, http.client.HTTPException, ssl.SSLError),
    *(ConnectionError, TimeoutError),
)
Progress = Callable[[str, int, int | None], None]  # name, bytes so far, bytes in all if told


@dataclass(frozen=True)
class Remote:
    """A file to fetch: from where, to where, and its sha256 where that is known."""

    url: str
    path: Path
    sha256: str | None = None


@dataclass(frozen=True)
class Patience:
    """How a server that fails is borne: so many tries without a byte, each longer apart."""

    tries: int = 5
    first_wait_s: float = 1.0
    timeout_s: float = 60.0


class Refused(BadFile):
    """The server does not have this file, or does not give it; others may still be had."""


class _Cut(Exception):
    """The connection failed or ended early; the message is how."""


def quiet(name: str, n_bytes: int, n_all: int | None) -> None:
    """Progress that nobody is told of."""


def fetch_file(
    remote: Remote, progress: Progress = quiet, patience: Patience | None = None
) -> bool:
    """Fetch one file, unless it is there already; whether it is new.

    Raises:
        Refused: the server says that there is no such file, or not for us.
        BadFile: it cannot be reached or goes on failing, the sum or length is wrong, or the
            disk does not take it.
    """
    if remote.path.is_file():
        return False
    if not remote.url.startswith(("http://", "https://")):
        raise BadFile(f"{remote.url}: no address to fetch from; expected http:// or https://")
    patience = patience or Patience()
    partial = _partial(remote.path)
    failed, had = 0, -1
    while True:
        try:
            remote.path.parent.mkdir(parents=True, exist_ok=True)
            _fetch_rest(remote, partial, progress, patience.timeout_s)
            break
        except _Cut as reason:
            came = _size(partial)
            failed = failed + 1 if came <= had else 1
            had = max(had, came)
            if failed >= patience.tries:
                raise BadFile(
                    f"{remote.url}: {reason}, {failed} times; {came} bytes are kept, the same "
                    "command goes on from there"
                ) from None
            time.sleep(patience.first_wait_s * 2 ** (failed - 1))
        except OSError as error:
            raise _unwritable(remote.path, error.strerror or str(error)) from None
    _check_sum(remote, partial)
    partial.replace(remote.path)
    _mark(partial).unlink(missing_ok=True)
    return True


def fetch_files(
    remotes: Iterable[Remote], progress: Progress = quiet, patience: Patience | None = None
) -> int:
    """Fetch those that are not there; how many are new. What one server lacks stops no other file.

    Raises:
        BadFile: as `fetch_file`; files that were refused are named together at the end.
    """
    n_new, refused = 0, []
    for remote in remotes:
        try:
            n_new += fetch_file(remote, progress, patience)
        except Refused as reason:
            refused.append(str(reason))
    if refused:
        kept = f" ({n_new} others were fetched)" if n_new else ""
        raise BadFile("; ".join(refused) + kept)
    return n_new


def _fetch_rest(remote: Remote, partial: Path, progress: Progress, timeout_s: float) -> None:
    """Ask for what is missing of the partial file and append it."""
    had, version = _size(partial), _version(partial)
    request = urllib.request.Request(remote.url, headers=_asking_for(had, version))
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            if not (answer.status == 206 and _first_byte(answer) == had):
                had = 0  # all of it is sent: the server knows no ranges, or has a newer version
            told = answer.headers.get("Content-Length")
            n_all = had + int(told) if told and told.isdecimal() else None
            _check_room(partial, (n_all or had) - had)
            _mark(partial).write_text(json.dumps({"version": _mark_of(answer)}), encoding="utf-8")
            _append(answer, partial, had, n_all, lambda now: progress(remote.path.name, now, n_all))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{had}":
            return  # all of it was here already
        _judge(error.code, remote, partial)
    except _OF_THE_NETWORK as why:
        reason = getattr(why, "reason", None) or str(why) or type(why).__name__
        raise _Cut(f"cannot be fetched ({reason})") from None


def _check_room(path: Path, n_bytes: int) -> None:
    """Refuse to begin what the disk has no room for, rather than fail in the middle of it."""
    free = shutil.disk_usage(path.parent).free
    if n_bytes > free:
        raise _unwritable(path, f"{n_bytes / 1e9:.2f} GB to come, {free / 1e9:.2f} GB are free")


def _unwritable(path: Path, why: str) -> BadFile:
    return BadFile(
        f"{path}: cannot be written ({why}); name a place that is writable and has room; what has "
        "come is kept"
    )


def _append(
    answer: http.client.HTTPResponse,
    partial: Path,
    had: int,
    n_all: int | None,
    tell: Callable[[int], None],
) -> None:
    with partial.open("r+b" if had else "wb") as out:
        out.seek(had)
        out.truncate()
        came = had
        tell(came)
        while block := answer.read(BLOCK):
            out.write(block)
            came += len(block)
            tell(came)
    if n_all is not None and came != n_all:
        raise _Cut(f"the connection ended after {came} of {n_all} bytes")


def _judge(code: int, remote: Remote, partial: Path) -> None:
    """Make of an error that the server answered what it means for us."""
    if code == 416:  # nothing lies past what we have: a newer, shorter version, or we have it all
        _forget(partial)
        raise _Cut("the server has no more than is here already; it is fetched anew")
    if code in (404, 410):
        raise Refused(f"{remote.url}: the server has no such file ({code})")
    if code in (400, 401, 403, 451):
        raise Refused(f"{remote.url}: the server does not give it to us ({code})")
    raise _Cut(f"the server failed ({code})")


def _asking_for(had: int, version: str | None) -> dict[str, str]:
    headers = {"User-Agent": "diarize-toolkit", "Accept-Encoding": "identity"}
    if had and version:  # without a mark of the version two halves might not belong together
        headers |= {"Range": f"bytes={had}-", "If-Range": version}
    return headers


def _mark_of(answer: http.client.HTTPResponse) -> str | None:
    """What tells one version of a file from the next: a strong ETag, or when it last changed."""
    etag = answer.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return str(etag)
    changed = answer.headers.get("Last-Modified")
    return str(changed) if changed else None


def _first_byte(answer: http.client.HTTPResponse) -> int | None:
    said = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").split("-")[0]
    return int(said) if said.isdecimal() else None


def _check_sum(remote: Remote, partial: Path) -> None:
    if remote.sha256 is None:
        return
    digest = hashlib.sha256()
    with partial.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != remote.sha256:
        n_bytes = _size(partial)
        _forget(partial)
        raise BadFile(
            f"{remote.url}: not the known file: {n_bytes} bytes with the sha256 "
            f"{digest.hexdigest()}, expected {remote.sha256}; it was removed"
        )


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _mark(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _size(partial: Path) -> int:
    return partial.stat().st_size if partial.is_file() else 0


def _version(partial: Path) -> str | None:
    try:
        version = json.loads(_mark(partial).read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None


def _forget(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _mark(partial).unlink(missing_ok=True)
