"""What scans found before, by file: a second scan of unchanged files is instant, an interrupted one goes on."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

log = logging.getLogger(__name__)

VERSION = 4
"""Part of every stamp; raise it when a change of the rules makes old results wrong: of judging frames, of finding
boundaries, or of dealing sequences to splits."""

LAYOUT = 3
"""Raise it when the table's columns change: a file that was written with another is emptied."""


def default_cache() -> Path:
    """Where scans are kept unless the caller says otherwise: below ``XDG_CACHE_HOME``, or ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "handprior" / "scans.sqlite"


def hash_of(*parts: object) -> str:
    """A hash of everything that a result depends on."""
    text = "\0".join(map(repr, parts))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class ScanCache:
    """Tables by key in one SQLite file. A cache that cannot be used is left alone: scanning works without one.

    Args:
        path: The file, made if missing; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _open(path)
        except (OSError, sqlite3.Error) as error:
            log.warning("%s: scan cache not used (%s)", path, error)

    def __enter__(self) -> ScanCache:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def find(self, key: str, stamp: str) -> pl.DataFrame | None:
        """Return the table that was kept under a key, if it was kept with the same stamp."""
        content = self.find_packed(key, stamp)
        try:
            return None if content is None else pl.read_ipc(io.BytesIO(content))
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            log.warning("scan cache not read (%s)", error)
            return None

    def find_packed(self, key: str, stamp: str) -> bytes | None:
        """Return the bytes of such a table, as :func:`polars.read_ipc` reads them."""
        if self._connection is None:
            return None
        try:
            with self._lock:
                query = "SELECT content FROM tables WHERE key = ? AND stamp = ?"
                row = self._connection.execute(query, (key, stamp)).fetchone()
            return None if row is None else bytes(row[0])
        except sqlite3.Error as error:
            log.warning("scan cache not read (%s)", error)
            return None

    def keep(self, key: str, stamp: str, table: pl.DataFrame) -> None:
        """Keep a table at once, in place of what was kept under its key, so that it survives whatever happens next.

        Args:
            key: What the table is about.
            stamp: What it depends on: with another stamp it is not found.
            table: The table.
        """
        if self._connection is None:
            return
        content = io.BytesIO()
        table.write_ipc(content, compression="zstd")
        row = (key, stamp, content.getvalue())
        try:
            with self._lock, self._connection:
                self._connection.execute("INSERT OR REPLACE INTO tables VALUES (?, ?, ?)", row)
        except sqlite3.Error as error:
            log.warning("scan cache not written (%s)", error)


@dataclass(frozen=True)
class KeptResults:
    """What is kept of one data folder as a whole, by name, as long as nothing in it changes.

    Attributes:
        path: The file of the :class:`ScanCache`; None keeps nothing.
        folder: Hash of the folder and of how it is read.
        stamp: Hash of all its files' stamps.
    """

    path: Path | None
    folder: str
    stamp: str

    def find(self, name: str, *depends_on: object) -> pl.DataFrame | None:
        """Return what was kept under a name, if it depended on the same."""
        with ScanCache(self.path) as cache:
            return cache.find(*self._key(name, depends_on))

    def find_packed(self, name: str) -> Callable[[], pl.DataFrame] | None:
        """Return what decodes the table that was kept under a name; it is held in memory until then, compressed."""
        with ScanCache(self.path) as cache:
            content = cache.find_packed(*self._key(name, ()))
        return None if content is None else lambda: self._unpacked(content)

    def keep(self, name: str, table: pl.DataFrame, *depends_on: object) -> None:
        """Keep a table in place of what was kept under its name."""
        with ScanCache(self.path) as cache:
            cache.keep(*self._key(name, depends_on), table)

    def _unpacked(self, content: bytes) -> pl.DataFrame:
        try:
            return pl.read_ipc(io.BytesIO(content))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ValueError(f"{self.path}: damaged scan cache; delete it and scan again") from error

    def _key(self, name: str, depends_on: tuple[object, ...]) -> tuple[str, str]:
        return hash_of(self.folder, name), hash_of(self.stamp, *depends_on)


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        log.warning("%s: damaged scan cache replaced (%s)", path, error)
        path.unlink()
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute("PRAGMA user_version").fetchone()[0] != LAYOUT:  # kept by another version: of no use
            connection.execute("DROP TABLE IF EXISTS tables")
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
        connection.execute("CREATE TABLE IF NOT EXISTS tables (key TEXT PRIMARY KEY, stamp TEXT, content BLOB)")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
