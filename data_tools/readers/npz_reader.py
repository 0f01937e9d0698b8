"""The common part of readers of .npz files: which columns of which arrays make up a pose."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, Int64

from data_tools.pose_layout import HANDS_COLUMNS, HANDS_DIM, POSE_DIM
from data_tools.readers.container import container_of
from data_tools.readers.contents import npz_object
from data_tools.readers.frame_clock import FPS_KEYS, usable_rate
from data_tools.readers.npz_members import Member, RowStream, list_members, read_small
from data_tools.readers.reader import CHUNK_FRAMES, Reader, UnreadableFile
from data_tools.sequence import HandMean, PoseSequence

_PICK_FRAMES = 4_096
"""Frames that are picked together: 3 MB, which the allocator hands out again and again."""


@dataclass(frozen=True)
class Part:
    """Columns of one array that go to columns of the pose."""

    member: Member
    source: slice
    target: slice

    def within(self, columns: slice) -> Part | None:
        """What of this part goes to these columns of the 165-D pose, counted from the first of them."""
        start, stop, _ = self.target.indices(POSE_DIM)
        low, high = max(start, columns.start), min(stop, columns.stop)
        if low >= high:
            return None
        first = (self.source.start or 0) + low - start
        return Part(self.member, slice(first, first + high - low), slice(low - columns.start, high - columns.start))


@dataclass(frozen=True)
class Layout:
    """How one .npz holds its poses.

    Attributes:
        parts: Where each part of the pose comes from; columns that no part fills stay zero.
        hand_mean: Mean-hand convention of the format.
        has_body: Whether a body pose is among the parts.
        fps: Frames per second, where the file says so.
        image_id: The array that names each frame's picture, where present.
        dim: Columns of the pose: 165, or 90 for the hands alone.
    """

    parts: tuple[Part, ...]
    hand_mean: HandMean
    has_body: bool
    fps: float | None = None
    image_id: Member | None = None
    dim: int = POSE_DIM

    @property
    def frames(self) -> int:
        return self.parts[0].member.shape[0]

    @property
    def unfilled(self) -> Iterator[slice]:
        """Columns of the pose that no part fills."""
        at = 0
        for start, stop, _ in sorted(part.target.indices(self.dim) for part in self.parts):
            if start > at:
                yield slice(at, start)
            at = max(at, stop)
        if at < self.dim:
            yield slice(at, self.dim)

    def of_hands(self) -> Layout:
        """The hands alone."""
        parts = (part.within(HANDS_COLUMNS) for part in self.parts)
        return replace(self, parts=tuple(part for part in parts if part is not None), dim=HANDS_DIM)


class NpzReader(Reader):
    """Base of the readers of .npz files: subclasses say which arrays hold what."""

    @abstractmethod
    def is_mine(self, members: dict[str, Member]) -> bool:
        """Tell from the keys (and column counts) whether the file is of this format, well-formed or not."""

    @abstractmethod
    def layout(self, path: Path, members: dict[str, Member]) -> Layout:
        """Say where the pose's parts lie; raises :class:`UnreadableFile` where a shape or type is wrong."""

    def recognises(self, path: Path) -> bool:
        if container_of(path) not in self.containers:
            return False
        try:
            return self.is_mine(self.members(path))
        except UnreadableFile:
            return False

    def members(self, path: Path) -> dict[str, Member]:
        """Read the headers of the file's arrays, by key."""
        return list_members(path)

    def frames(self, path: Path) -> int:
        return self._checked_layout(path).frames

    def chunks(
        self, path: Path, *, root: Path | None = None, chunk_frames: int = CHUNK_FRAMES
    ) -> Iterator[PoseSequence]:
        layout = self._checked_layout(path)
        with ExitStack() as stack:
            streams = _open_streams(stack, layout)
            for start in range(0, layout.frames, chunk_frames):
                count = min(chunk_frames, layout.frames - start)
                frames = np.arange(start, start + count, dtype=np.int64)
                yield self._span(path, root, layout, _read(streams, count), slice(None), frames)

    def pick(
        self, path: Path, frames: Int[np.ndarray, "picked"], *, root: Path | None = None, hands_only: bool = False
    ) -> Iterator[PoseSequence]:
        layout = self._checked_layout(path)
        if len(frames) and (frames[0] < 0 or frames[-1] >= layout.frames or (frames[1:] < frames[:-1]).any()):
            raise ValueError(f"{path}: frames to pick must ascend within its {layout.frames} frames")
        layout = layout.of_hands() if hands_only else layout
        low = position = 0
        with ExitStack() as stack:
            streams = _open_streams(stack, layout)
            while low < len(frames):
                start = int(frames[low])
                high = min(low + _PICK_FRAMES, _place(frames, start + CHUNK_FRAMES))
                high = _place(frames, int(frames[high - 1]) + 1)  # the same frame, repeated
                chosen, count = frames[low:high].astype(np.int64), int(frames[high - 1]) + 1 - start
                for stream in streams.values():
                    stream.skip(start - position)
                # All frames of a stretch are copied as they lie, which is quicker than one by one.
                whole = count == len(chosen) and chosen[-1] > chosen[0] and (np.diff(chosen) == 1).all()
                rows = slice(None) if whole else chosen - start
                yield self._span(path, root, layout, _read(streams, count), rows, chosen)
                low, position = high, start + count

    def _checked_layout(self, path: Path) -> Layout:
        members = self.members(path)
        layout = self.layout(path, members)
        first = layout.parts[0].member
        for part in layout.parts:
            if part.member.dtype.kind != "f":
                raise UnreadableFile(path, f"{part.member.name} holds {_type_name(part.member)}, expected floats")
            if part.member.shape[0] != first.shape[0]:
                raise UnreadableFile(
                    path,
                    f"{part.member.name} has {part.member.shape[0]} frames, but {first.name} has {first.shape[0]}",
                )
        if layout.frames == 0:
            raise UnreadableFile(path, "holds no frames")
        return layout

    def _span(
        self,
        path: Path,
        root: Path | None,
        layout: Layout,
        arrays: dict[str, np.ndarray],
        rows: Int64[np.ndarray, "rows"] | slice,
        frames: Int64[np.ndarray, "rows"],
    ) -> PoseSequence:
        place = self.place(path, root or path.parent)
        image_id = None if layout.image_id is None else np.asarray(arrays[layout.image_id.name])[rows].reshape(-1)
        return PoseSequence(
            dataset=place.dataset,
            name=place.name,
            path=str(path),
            poses=_assemble(layout, arrays, rows, len(frames)),
            frame_index=frames,
            hand_mean=layout.hand_mean,
            has_body=layout.has_body,
            fps=layout.fps,
            subject=place.subject,
            image_id=image_id,
        )


def _place(frames: Int[np.ndarray, "picked"], frame: int) -> int:
    """How many come before a frame."""
    # Looked for as the frames' own type, or all of them would be copied.
    return int(np.searchsorted(frames, np.array(min(frame, np.iinfo(frames.dtype).max), frames.dtype)))


def needed(path: Path, members: dict[str, Member], key: str) -> Member:
    """Return an array that the format cannot do without.

    Raises:
        UnreadableFile: It is not there.
    """
    if key not in members:
        raise UnreadableFile(path, f"has no {key}; found {', '.join(list(members)[:8]) or 'no arrays'}")
    return members[key]


def columns(path: Path, member: Member, expected: int) -> None:
    """Check that an array is (frames, expected) or (frames, expected / 3, 3).

    Raises:
        UnreadableFile: Objects, or another shape.
    """
    if member.is_object:
        raise UnreadableFile(path, f"{member.name} holds Python objects, which are never unpickled")
    if member.shape[1:] not in ((expected,), (expected // 3, 3)):
        raise UnreadableFile(path, f"{member.name} has shape {member.shape}, expected (frames, {expected})")


def frame_rate(path: Path, members: dict[str, Member]) -> float | None:
    """Read the frame rate under whichever key the file uses; None if it has none, or none of use.

    Raises:
        UnreadableFile: A rate that is damaged, or a pickle of something other than data.
    """
    key = next((key for key in FPS_KEYS if key in members), None)
    if key is None:
        return None
    return usable_rate(path, key, npz_object(path, key) if members[key].is_object else read_small(members[key]))


def _type_name(member: Member) -> str:
    return "Python objects, which are never unpickled" if member.is_object else str(member.dtype)


def _open_streams(stack: ExitStack, layout: Layout) -> dict[str, RowStream]:
    members = {part.member.name: part.member for part in layout.parts}
    if layout.image_id is not None:
        members[layout.image_id.name] = layout.image_id
    return {name: stack.enter_context(RowStream(member)) for name, member in members.items()}


def _read(streams: dict[str, RowStream], count: int) -> dict[str, np.ndarray]:
    return {name: stream.read(count) for name, stream in streams.items()}


def _assemble(
    layout: Layout, arrays: dict[str, Float[np.ndarray, "frames ..."]], rows: np.ndarray | slice, count: int
) -> Float32[np.ndarray, "count columns"]:
    poses = np.empty((count, layout.dim), np.float32)
    for columns in layout.unfilled:
        poses[:, columns] = 0
    with np.errstate(over="ignore"):  # a float64 too large for float32 becomes inf, which the audit reports
        for part in layout.parts:
            values = _rows(arrays[part.member.name], rows)
            poses[:, part.target] = values.reshape(len(values), -1)[:, part.source]
    return poses


def _rows(values: Float[np.ndarray, "frames ..."], rows: np.ndarray | slice) -> Float[np.ndarray, "rows ..."]:
    if isinstance(rows, slice) or not values.flags.c_contiguous:
        return values[rows]
    # Whole rows are copied, as bytes: an array in a zip lies at any address, and numpy would align all of it first.
    content = values.reshape(len(values), -1).view(np.uint8)
    return content.take(rows, axis=0).view(values.dtype).reshape(len(rows), *values.shape[1:])
