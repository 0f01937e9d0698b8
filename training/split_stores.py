"""The store of a folder of splits: packed when it is first asked for, opened ever after."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from data_tools.selection import Selection
    from data_tools.store import PoseStore

log = logging.getLogger(__name__)

_SAMPLES = ("train_samples.json", "val_samples.json", "test_samples.json")


def store_of(data_dir: Path | str, splits_dir: Path | str, pose: Literal["hands", "full"] = "hands") -> PoseStore:
    """Open the store of these splits, after packing it if that was not done before.

    A kept store is packed anew when the splits, the data folder or a file that frames come from has changed. A data
    folder that is gone is not missed once the store is packed. Two processes never pack the same store at once.

    Args:
        data_dir: The folder of motion files; not looked at where ``splits_dir`` is a store.
        splits_dir: A store; or a folder that ``handprior balance`` wrote; or one with ``train_samples.json``,
            ``val_samples.json`` and ``test_samples.json`` (dataset -> frame numbers). Of the last two the store is kept
            in it as ``store_hands`` or ``store_full``, with a note of what it was packed from beside it
            (``store_hands.json``); both may be deleted.
        pose: Hands only, or everything.

    Raises:
        FileNotFoundError: No splits there, or no data.
        ValueError: Splits that do not fit the data, or a store without what ``pose`` asks for.
        RuntimeError: Another process is packing it.
    """
    from data_tools.hand_mean import licensed_hands_mean
    from data_tools.store import PoseStore, is_store, pack

    folder, data = Path(splits_dir), Path(data_dir)
    if is_store(folder):
        return _checked(PoseStore(folder), pose)
    splits = _content_of(folder)
    kept, note = folder / f"store_{pose}", folder / f"store_{pose}.json"
    made_from = _read(note)
    if made_from is not None and made_from["splits"] == splits and _is_unchanged(made_from, data):
        try:
            return PoseStore(kept)
        except (FileNotFoundError, ValueError) as error:
            log.warning("%s; it is packed again", error)
    if not data.exists():
        raise FileNotFoundError(f"{data}: no such data folder; give the one that the splits in {folder} are of")
    selection = _selection(data, folder)
    made_from = {"splits": splits, "data": str(data.resolve()), "files": _stamps(data, selection.about["files"])}
    log.info("%s: packing the frames of %s, once", kept, folder)
    store = pack(selection, data, kept, pose=pose, hands_mean=licensed_hands_mean())
    beside = note.with_name(f".{note.name}.{os.getpid()}")
    beside.write_text(json.dumps(made_from) + "\n", encoding="utf-8")
    beside.replace(note)
    return store


def _content_of(folder: Path) -> str:
    """Hash of what says which frames are in which split."""
    from data_tools.selection import FRAMES_FILE

    names = [FRAMES_FILE] if (folder / FRAMES_FILE).is_file() else [*_SAMPLES]
    if names == [*_SAMPLES] and not (folder / _SAMPLES[0]).is_file():
        if (folder / "train_files.txt").is_file():
            raise FileNotFoundError(
                f"{folder}: train_files.txt lists whole files, which is no split of their frames; "
                f"make splits with `handprior balance DATA --out {folder}`"
            )
        raise FileNotFoundError(
            f"{folder}: neither a store nor splits; make them with `handprior balance DATA --out {folder}`"
        )
    digest = hashlib.blake2b(digest_size=16)
    for name in names:
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                digest.update(name.encode() + hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _selection(data: Path, folder: Path) -> Selection:
    from data_tools.hand_mean import licensed_hands_mean
    from data_tools.scanning.folder_scan import scan
    from data_tools.selection import FRAMES_FILE, Selection

    if (folder / FRAMES_FILE).is_file():
        return Selection.read(folder)
    return Selection.from_samples(folder, scan(data, hands_mean=licensed_hands_mean()))


def _stamps(data: Path, files: Any) -> dict[str, list[int] | None]:
    """Size and time of each file that frames come from, and of the notes beside them; None for one that is gone."""
    from data_tools.dataset_notes import FILE_NAME

    root = data if data.is_dir() else data.parent
    stamps: dict[str, list[int] | None] = {}
    for name in sorted({*files, FILE_NAME}):
        try:
            status = (root / name).stat()
        except OSError:
            stamps[name] = None
        else:
            stamps[name] = [status.st_size, status.st_mtime_ns]
    return stamps


def _is_unchanged(made_from: dict[str, Any], data: Path) -> bool:
    if not data.exists():
        return True
    return made_from["data"] == str(data.resolve()) and made_from["files"] == _stamps(data, made_from["files"])


def _read(note: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and {"splits", "data", "files"} <= set(content) else None


def _checked(store: PoseStore, pose: str) -> PoseStore:
    if pose == "full" and store.pose != "full":
        raise ValueError(f"{store.path} holds hands only; pack again with --pose full for the whole body")
    if store.pose == "hand":
        raise ValueError(f"{store.path} holds one hand in each row; pack again with --pose {pose}")
    return store
