"""Shared by all tests: array shapes are checked at run time, torch keeps to the machine's cores."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

# Before any import of the project: every jaxtyping annotation in these modules becomes a run-time check.
from jaxtyping import install_import_hook

SHAPES_CHECKED = """
    data_tools.auditing.alike_points data_tools.auditing.convention_evidence data_tools.auditing.coverage
    data_tools.auditing.distances data_tools.auditing.duplicates data_tools.auditing.finger_rotations
    data_tools.auditing.hand_examples data_tools.auditing.joint_limits data_tools.auditing.live_frames
    data_tools.auditing.point_file data_tools.auditing.pose_statistics data_tools.auditing.sequence_sums
    data_tools.auditing.suspects data_tools.auditing.turning_points data_tools.foreign_splits data_tools.hand_mean
    data_tools.hand_model data_tools.hand_pca data_tools.leak_report data_tools.leaks data_tools.mixing.allocation
    data_tools.mixing.apportion data_tools.mixing.dealing data_tools.mixing.drawing data_tools.packing
    data_tools.pose_layout data_tools.readers.amass_smplh data_tools.readers.amass_smplx
    data_tools.readers.consolidated data_tools.readers.dexycb data_tools.readers.frame_clock
    data_tools.readers.hot3d data_tools.readers.interhand data_tools.readers.npz_members
    data_tools.readers.npz_reader data_tools.readers.oakink2 data_tools.readers.reader
    data_tools.readers.streamed_reader data_tools.readers.ubody data_tools.rotations data_tools.scanning.boundaries
    data_tools.scanning.dead_hands data_tools.scanning.file_scan data_tools.scanning.sequence_tally
    data_tools.splits handprior_viz.audit_report.dataset_pairs handprior_viz.audit_report.distance_map
    handprior_viz.audit_report.hand_pictures handprior_viz.audit_report.histogram_plots
    handprior_viz.audit_report.joint_histograms handprior_viz.auditing.dataset_looks
    handprior_viz.auditing.sequence_clip handprior_viz.balancing.coverage handprior_viz.comparing.energy
    handprior_viz.comparing.samples handprior_viz.comparing.walk handprior_viz.explorer.backdrop
    handprior_viz.explorer.comparison handprior_viz.explorer.finger_points handprior_viz.explorer.held_out
    handprior_viz.explorer.joint_sliders handprior_viz.explorer.nearest_frames handprior_viz.explorer.principal_map
    handprior_viz.explorer.prior_view handprior_viz.explorer.real_frame handprior_viz.export.bounds
    handprior_viz.export.decoders handprior_viz.export.densities handprior_viz.export.flow_decoders
    handprior_viz.export.gltf handprior_viz.export.page_arrays handprior_viz.export.pictures
    handprior_viz.export.rig handprior_viz.export.rigged_mesh handprior_viz.export.skinned_mesh
    handprior_viz.export.steps handprior_viz.grid_box
    handprior_viz.hand_picture handprior_viz.joint_angles handprior_viz.pictures.lighting
    handprior_viz.pictures.occlusion handprior_viz.pictures.smooth_mesh handprior_viz.pictures.soft_raster
    handprior_viz.pose_files handprior_viz.trainings.samples training.column_spline training.consolidated_splits
    training.damped_steps training.fitting_errors training.flow_layers training.frame_loading
    training.geodesic_normal training.hand_points training.joint_problems training.joint_tree training.k_means
    training.looks training.metrics training.pose_batches training.prior training.prior_datamodule training.priors
    training.rational_spline training.read_ahead training.rotation_planes training.seen_joints training.shape_search
    training.smooth_steps training.split_modules
"""
install_import_hook(SHAPES_CHECKED.split(), "beartype.beartype")

# Workers share the cores: with more threads than cores they would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic corpus on disk. Shared by all tests: copy it before changing it."""
    from data_tools import demo_corpus

    return demo_corpus.write(tmp_path_factory.mktemp("corpus") / "data", frames=20_000, seed=0).path


@pytest.fixture(scope="session")
def demo_store(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed store of 2,000 frames drawn from the small corpus."""
    from data_tools import balance, pack, scan
    from data_tools.mixing.mix_settings import Mix

    folder = tmp_path_factory.mktemp("store")
    balance(scan(demo_data), replace(Mix.default(), total=2_000), folder / "splits")
    return pack(folder / "splits", demo_data, folder / "store").path


@pytest.fixture(scope="session")
def demo_run(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gaussian trained on the small store."""
    from training import train

    return train("gaussian", demo_store, out=tmp_path_factory.mktemp("runs")).path


WAITING = (
    "test_browser_",
    "test_notebooks",
    "test_cell_run_again",
    "test_hand_view_jupyter",
    "test_hand_view_elsewhere",
)
"""Files whose tests wait for kernels and browsers more than they compute."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: not item.path.name.startswith(WAITING))
