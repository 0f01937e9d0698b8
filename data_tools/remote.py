"""Data that lie elsewhere: any fsspec URL (s3://, gs://, https:// ...) is mirrored here and then read as files.

Only what could hold motion is fetched, and what has not changed since is not fetched again. A mirror lies in
``XDG_CACHE_HOME/handprior/remote`` (``~/.cache`` by default) and may be deleted at any time. Who may read what is
settled by fsspec's own means (environment, ``~/.config/fsspec``), never by words in the URL: for ``s3://`` that is
``AWS_PROFILE`` or ``AWS_ACCESS_KEY_ID`` and so on, ``AWS_ENDPOINT_URL`` for another service than Amazon's, and
``FSSPEC_S3_ANON=true`` for a public bucket.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from data_tools.dataset_notes import FILE_NAME as NOTES_FILE
from data_tools.packing.one_writer import one_writer
from data_tools.readers import READERS

Progress = Callable[[int, int, str], None]

_EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
_MARKS = ("ETag", "etag", "md5Hash", "crc32c", "Content-MD5", "generation", "LastModified", "Last-Modified", "mtime")
"""What file systems call that which changes with a file's content."""

_ACCESS = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; FSSPEC_S3_ANON=true for a public bucket",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS; FSSPEC_GCS_TOKEN=anon for a public bucket",
}
_NO_ACCESS = {"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "RefreshError"}
"""What the clients of clouds call it that nobody said who is asking; none of them is a PermissionError."""

_WORKERS = 4
_SPARE = 1 << 26  # bytes that stay free


def is_remote(data: Path | str) -> bool:
    """Whether data are given by URL."""
    return isinstance(data, str) and "://" in data


def mirror_of(data: Path | str) -> Path:
    """Say where data lie here, without looking elsewhere: a path is itself, a URL has its mirror."""
    if not is_remote(data):
        return Path(data)
    url = str(data)
    if url.startswith(("file://", "local://")):
        return Path(unquote(urlsplit(url).path))
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "handprior" / "remote"
    name = PurePosixPath(unquote(url.rstrip("/"))).name
    # The last part of the URL stays in the name: a data folder that holds files only is named after it.
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name).lstrip(".") or "data"
    return folder / hashlib.blake2b(url.rstrip("/").encode(), digest_size=8).hexdigest() / safe


def local_folder(data: Path | str, progress: Progress | None = None) -> Path:
    """Return data as a path: fetch what has changed if they are given by URL.

    Fetching goes on where an earlier one was interrupted; a file is whole or not there.

    Args:
        data: A path, or an fsspec URL of a folder or of one file.
        progress: Called with bytes done, bytes in all, and the file.

    Raises:
        ValueError: A protocol that is not known or not installed, a password in the URL, or a name that leads out of
            the folder.
        FileNotFoundError: Nothing there that could hold motion.
        PermissionError: Whoever is asking may not read it, or nobody said who is asking.
        OSError: It cannot be reached, or the disk has too little room.
        RuntimeError: Another process is fetching the same.
    """
    place = mirror_of(data)
    if not is_remote(data) or str(data).startswith(("file://", "local://")):
        return place
    url = str(data)
    system, root = _open(url)
    with one_writer(place):
        entries, single = _listing(system, root, url)
        _fetch(system, entries, place, url, progress)
    return place / single if single else place


def root_folder(data: Path | str, progress: Progress | None = None) -> Path:
    """The folder that paths of a catalog are below: :func:`local_folder`, or the folder of the one file it gives."""
    place = local_folder(data, progress)
    return place.parent if place.is_file() else place


@dataclass(frozen=True)
class _Entry:
    """A remote file: its path there, its name below the folder, its bytes, and what changes when it does."""

    remote: str
    name: str
    size: int
    stamp: str


def _protocol(url: str) -> str:
    return url.partition("://")[0].rpartition("::")[2]


def _open(url: str) -> tuple[Any, str]:
    """Open the file system of a URL."""
    import fsspec

    protocol = _protocol(url)
    if urlsplit(url).password:
        raise ValueError("a URL with a password in it would be written into catalogs; give it to fsspec another way")
    try:
        system, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = _EXTRAS.get(protocol, str(error))
        raise ValueError(
            f"{url}: {protocol}:// needs {package}; install it with `pip install {package}` or `pip install "
            "'handprior[remote]'`"
        ) from error
    except ValueError as error:
        raise ValueError(f"{url}: {error}; expected a folder, or a URL that fsspec knows such as s3://") from error
    return system, str(root)


@contextmanager
def _explained(url: str, protocol: str) -> Iterator[None]:
    """Every file system has its own errors: say in one line what failed."""
    try:
        yield
    except FileNotFoundError as error:
        # Where a web server does not answer at all, fsspec says the same.
        raise FileNotFoundError(f"{url}: not there, or cannot be reached") from error
    except Exception as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        if isinstance(error, PermissionError) or type(error).__name__ in _NO_ACCESS:
            hint = _ACCESS.get({"s3a": "s3", "gcs": "gs"}.get(protocol, protocol), "give fsspec the credentials")
            raise PermissionError(f"{url}: no access ({text}); {hint}") from error
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            text = "the disk is full; what was fetched is kept: make room and try again"
        raise OSError(f"{url}: cannot be fetched ({text})") from error


def _listing(system: Any, root: str, url: str) -> tuple[list[_Entry], str | None]:
    """List the files worth fetching; and the name of the one file, if the URL is of one."""
    with _explained(url, _protocol(url)):
        system.invalidate_cache()  # fsspec keeps one object per bucket, with what it once listed
        found: Mapping[str, Any] = system.find(root, detail=True)
        if single := not found or list(found) == [root]:
            found = {root: system.info(root)}
    base, one = root.rstrip("/") + "/", ""
    if single:
        folder = root.rpartition("/")[0] + "/"
        found = {**found, **_beside(system, folder)}
        # The folder that the file lies in names its dataset, here as there.
        base = folder.rstrip("/").rpartition("/")[0] + "/" if "/" in folder.split("://")[-1].strip("/") else folder
        one = root.removeprefix(base)
    entries = []
    for remote, info in sorted(found.items()):
        if not remote.startswith(base):
            raise ValueError(f"{url}: lists {remote!r}, which lies outside of it; nothing is fetched")
        # Web addresses are written with %20 for a space; paths of the other file systems are as they are.
        name = unquote(remote.removeprefix(base)) if "://" in root else remote.removeprefix(base)
        if (not name or name.endswith("/")) and not info.get("size"):
            continue  # an empty object that stands for a folder, as the consoles of clouds make them
        if _leads_out(name):
            raise ValueError(f"{url}: lists {name!r}, a name that leads out of the folder; nothing is fetched")
        if info.get("type") == "directory" or not (single or _may_hold_motion(name)):
            continue
        with _explained(remote, _protocol(url)):
            if info.get("size") is None:
                info = {**info, **system.info(remote)}
            entries.append(_Entry(remote, name, int(info.get("size") or 0), _stamp(system, remote, info)))
    if not entries:
        raise FileNotFoundError(f"{url}: no files there that could hold motion")
    return entries, (unquote(one) if "://" in root else one) or None


def _beside(system: Any, base: str) -> dict[str, Any]:
    """What lies beside a single file and changes what is read from it."""
    names = sorted({sidecar for reader in READERS for sidecar in reader.sidecars} | {NOTES_FILE})
    return {base + name: system.info(base + name) for name in names if system.isfile(base + name)}


def _may_hold_motion(name: str) -> bool:
    file = PurePosixPath(name).name
    if any(part.startswith(".") for part in PurePosixPath(name).parts):
        return False
    suffixes = {suffix for reader in READERS for suffix in reader.suffixes} | {".npz", ".npy", ".pkl", ".json", ".yml"}
    sidecars = {sidecar for reader in READERS for sidecar in reader.sidecars} | {NOTES_FILE}
    return file in sidecars or file.lower().endswith(tuple(suffixes))


def _leads_out(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return not name or name.startswith(("/", "\\")) or ".." in parts or "\0" in name or ":" in parts[0]


def _stamp(system: Any, remote: str, info: Mapping[str, Any]) -> str:
    """What tells whether a file is still the one that was fetched: its size, and what else its file system says."""
    marks = [str(info[mark]) for mark in _MARKS if info.get(mark)]
    if not marks:
        try:
            marks = [str(system.modified(remote))]
        except (NotImplementedError, AttributeError, TypeError, ValueError):
            marks = []
    return json.dumps([info.get("size"), *marks])


def _fetch(system: Any, entries: list[_Entry], place: Path, url: str, progress: Progress | None) -> None:
    """Bring the mirror up to date: fetch what is new or has changed, remove what is no longer there."""
    place.mkdir(parents=True, exist_ok=True)
    journal = place.with_name("fetched.jsonl")
    kept = _journal(journal)
    todo = [entry for entry in entries if not _is_here(entry, place, kept)]
    done, total = sum(e.size for e in entries) - sum(e.size for e in todo), sum(e.size for e in entries)
    missing = sum(entry.size for entry in todo) + _SPARE - shutil.disk_usage(place).free
    if missing > 0:
        raise OSError(errno.ENOSPC, f"no room for a copy of {url}: the disk lacks {missing / 1e6:.0f} MB", str(place))
    names = {entry.name for entry in entries}
    for path in sorted(place.rglob("*"), reverse=True):
        if not path.is_dir() and path.relative_to(place).as_posix() not in names:
            path.unlink()
    with journal.open("a", encoding="utf-8") as lines, ThreadPoolExecutor(_WORKERS) as pool:
        jobs = {pool.submit(_fetch_one, system, entry, place, _protocol(url)): entry for entry in todo}
        try:
            for job in as_completed(jobs):
                entry = jobs[job]
                job.result()
                lines.write(json.dumps([entry.name, entry.stamp]) + "\n")
                lines.flush()
                done += entry.size
                if progress:
                    progress(done, total, entry.name)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    beside = journal.with_suffix(".new")
    beside.write_text("".join(json.dumps([entry.name, entry.stamp]) + "\n" for entry in entries), encoding="utf-8")
    beside.replace(journal)


def _fetch_one(system: Any, entry: _Entry, place: Path, protocol: str) -> None:
    path = place / entry.name
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        with _explained(entry.remote, protocol):
            system.get_file(entry.remote, str(beside))
            if beside.stat().st_size != entry.size:
                raise OSError(f"{beside.stat().st_size} bytes came, {entry.size} were announced")
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _is_here(entry: _Entry, place: Path, kept: Mapping[str, str]) -> bool:
    path = place / entry.name
    return kept.get(entry.name) == entry.stamp and path.is_file() and path.stat().st_size == entry.size


def _journal(path: Path) -> dict[str, str]:
    """Read what was fetched as what; a line that was cut short counts as none."""
    kept = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            name, stamp = json.loads(line)
        except ValueError:
            continue
        kept[name] = stamp
    return kept
