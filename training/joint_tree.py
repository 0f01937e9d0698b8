"""Which joints a pose moves, and which other joints each of them may depend on."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from data_tools.pose_layout import JOINT_NAMES, PARENTS

JointCondition = Literal["parent", "ancestors", "siblings", "earlier"]
"""What a joint is given: its parent; all joints from the parent to the root; the parent and its children so far; or
every joint that stands before it in the order of the columns, which makes the product of all a full joint density."""


def first_joint(dim: int) -> int:
    """Number among the 55 joints of the first joint of a pose with ``dim`` columns (165, 90 or 45)."""
    return len(JOINT_NAMES) - dim // 3  # a hand is the right one: the last joints


def parents_of(dim: int) -> tuple[int, ...]:
    """Parent of each joint in poses of ``dim`` columns, counted within the pose; -1 where it is none of its joints."""
    first = first_joint(dim)
    return tuple(max(parent - first, -1) for parent in PARENTS[first : first + dim // 3])


def moving_joints(active: Bool[np.ndarray, "dim"]) -> Int[np.ndarray, "joints"]:
    """Joints of a pose of which at least one column is modelled, in the order of the columns."""
    return np.flatnonzero(active.reshape(-1, 3).any(axis=1))


def conditions(condition: JointCondition, active: Bool[np.ndarray, "dim"]) -> Bool[np.ndarray, "joints joints"]:
    """Row j, column i: whether moving joint j is given moving joint i. Only joints before it can be."""
    parents = parents_of(len(active))
    joints = moving_joints(active)
    if condition == "earlier":
        return np.tri(len(joints), k=-1, dtype=bool)
    given = [_given(condition, int(joint), parents) for joint in joints]
    return np.array([[int(other) in own for other in joints] for own in given])


def levels(given: Bool[np.ndarray, "joints joints"]) -> list[Int[np.ndarray, "level"]]:
    """Joints in the order in which they can be drawn: each level depends on those before it only."""
    depth = np.zeros(len(given), int)
    for joint, row in enumerate(given):
        depth[joint] = 1 + max(depth[row], default=-1)
    return [np.flatnonzero(depth == level) for level in range(depth.max() + 1)]


def _given(condition: JointCondition, joint: int, parents: tuple[int, ...]) -> set[int]:
    parent = parents[joint]
    given = {parent}
    if condition == "ancestors":
        while parent >= 0:
            parent = parents[parent]
            given.add(parent)
    if condition == "siblings":
        # Joints whose parent lies outside the pose (the knuckles of both hands) are siblings within one hand only:
        # what tells them apart is the joint of the whole body they hang on.
        given |= {other for other in range(joint) if _hangs_on(other, parents) == _hangs_on(joint, parents)}
    return given


def _hangs_on(joint: int, parents: tuple[int, ...]) -> int:
    """Parent of a joint among the 55 joints of the whole body."""
    return PARENTS[first_joint(3 * len(parents)) + joint]
