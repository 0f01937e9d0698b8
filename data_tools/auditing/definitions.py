"""What each number of an audit means, in words for reports and for whoever reads the tables."""

from __future__ import annotations

from data_tools.auditing.audit_pass import SAMPLE
from data_tools.auditing.coverage import CELLS
from data_tools.auditing.distances import COMPONENTS
from data_tools.auditing.joint_limits import LIMIT_SOURCE, RANGE_SOURCE
from data_tools.scanning.dead_hands import JITTER_RADIANS, JITTER_REVERSAL

DEFINITIONS: dict[str, str] = {
    "energy": "finger-motion energy: RMS over live frames and the 15 joints of a hand of the angle turned per second "
    "(geodesic, between neighbouring frames, never across a gap); rad/s, or rad/frame where no frame rate is known",
    "noise": "share of that motion which is noise: mean squared second difference over three times the mean squared "
    "first difference of the joints' rotations (von Neumann's ratio); 1 for white noise, 2/3 for a random walk, near "
    "0 for smooth motion",
    "jitter_share": f"share of frames between two steps of more than {JITTER_RADIANS:g} rad (per frame, RMS over the "
    f"components of both hands) whose difference is more than {JITTER_REVERSAL:g} of their sum: far and straight back",
    "out_of_limit": f"share of live joint-frames outside the joint's box, of joints that have one: {LIMIT_SOURCE}",
    "out_of_range": f"share of live joint-frames outside the anatomical range: {RANGE_SOURCE}",
    "beyond_pi_share": "share of live joint-frames whose axis-angle vector, mean included, is longer than pi",
    "nan_share": "share of frames with a value that is no finite number",
    "distance_to_rest": f"Jensen-Shannon divergence in bits (0 same, 1 disjoint) between the dataset and all others "
    f"with equal weight, mean over the first {COMPONENTS} principal components of the corpus",
    "coverage_gain": f"share of the corpus's pose cells (k-means, at most {CELLS}) that only this dataset reaches",
    "cells": f"share of the corpus's pose cells (k-means, at most {CELLS}) that the dataset reaches",
    "novelty": "share of its frames that no other dataset comes near: within the median distance from a frame to the "
    "nearest one of another sequence, or 3 degrees a joint if that is more",
    "duplicate_frames": "frames that stand in another sequence of this or another dataset too, by the longest stretch "
    "that each sequence shares with one other",
    "sample": f"distances in PCA space, cells and novelty are measured on spread samples of at most {SAMPLE} frames "
    "of each dataset; all else on every frame",
}
