"""The synthetic corpus: in the users' format, moving as hands move, flawed where it says so, and always the same."""

from __future__ import annotations

import hashlib
import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data_tools import demo_corpus
from data_tools.demo_corpus import DemoCorpus, SequenceTruth
from data_tools.demo_corpus.writing import apportion
from data_tools.joint_axes import LIMITS, angles_from_pose
from data_tools.pose_layout import mirror_hand
from data_tools.rotations import geodesic_angle, principal_pose

HIGH = "SignAvatarsLang-001 SignAvatarsWord SignAvatarsHam signlanguage DanceDB EyesJapan MotionXmusic MotionXperform "
HIGH += "conductmusic entertainment singing GRAB MOYO TCDHands ham arctic Bedlam HUMAN4D idea400 humman"
MEDIUM = (
    "magic speech talkshow tvshow interview videoconference online_class livevlog kungfu fitness movie olympic mscoco"
)
LOW = "CMU KIT HDM05 ACCAD SFU TotalCapture BMLrub BMLmovi WEIZMANN EKUT Mosh HumanEva PosePrior SOMA Transitions CNRS "
LOW += "MotionXanimation MotionXhaa500 DFaust SSM"

SHAPES = {"global_orient": 3, "body_pose": 63, "jaw_pose": 3, "lhand_pose": 45, "rhand_pose": 45}
FRAMES = 16_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> DemoCorpus:
    return demo_corpus.write(tmp_path_factory.mktemp("corpus") / "demo", frames=FRAMES)


@pytest.fixture(scope="module")
def files(corpus: DemoCorpus) -> dict[str, dict[str, np.ndarray]]:
    """Every array of every file, as stored."""
    loaded = {}
    for path in corpus.path.glob("*.npz"):
        with np.load(path, allow_pickle=False) as archive:
            loaded[path.stem] = {key: archive[key] for key in archive.files}
    return loaded


@pytest.fixture(scope="module")
def notes(corpus: DemoCorpus) -> dict:
    return yaml.safe_load((corpus.path / "handprior.yaml").read_text())


def hands_incl(
    sequence: SequenceTruth, files: dict[str, dict[str, np.ndarray]], notes: dict, *, principal: bool = True
) -> np.ndarray:
    """Both hands of a sequence with the mean included, (frames, 90)."""
    file = files[sequence.dataset]
    hands = np.concatenate([file["lhand_pose"], file["rhand_pose"]], axis=1)[sequence.start : sequence.stop]
    if notes["hand_mean"].get(sequence.dataset, "incl") == "rel":
        hands = hands + np.array(notes["hands_mean"], np.float32)
    return principal_pose(hands.astype(np.float64)) if principal else hands


def sound_sequences(corpus: DemoCorpus) -> list[SequenceTruth]:
    """Live sequences with nothing wrong but, perhaps, long rotation vectors."""
    return [s for s in corpus.truth if s.is_live and all(flaw.kind == "beyond_pi" for flaw in s.flaws)]


# The folder


def test_folder_looks_like_a_users(corpus: DemoCorpus, files: dict, notes: dict) -> None:
    names = {path.name for path in corpus.path.iterdir()}
    assert names == {f"{name}.npz" for name in (*HIGH.split(), *MEDIUM.split(), *LOW.split())} | {"handprior.yaml"}
    assert notes["synthetic"] is True
    assert set(notes["hand_mean"].values()) == {"incl", "rel"}
    assert len(notes["hands_mean"]) == 90
    for name, arrays in files.items():
        frames = len(arrays["body_pose"])
        for key, width in SHAPES.items():
            assert (arrays[key].shape, arrays[key].dtype) == ((frames, width), np.dtype("<f4")), (name, key)
    assert {name for name, arrays in files.items() if "image_id" in arrays} == {"mscoco"}


def test_tiers_know_every_dataset() -> None:
    mix = yaml.safe_load((Path(demo_corpus.__file__).parents[1] / "mix.yaml").read_text())
    assert mix["tiers"] == {"high": HIGH.split(), "medium": MEDIUM.split(), "low": LOW.split()}


def test_some_files_are_stored_and_some_deflated(corpus: DemoCorpus) -> None:
    methods = {info.compress_type for path in corpus.path.glob("*.npz") for info in zipfile.ZipFile(path).infolist()}
    assert methods == {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def test_truth_covers_every_frame_in_order(corpus: DemoCorpus, files: dict) -> None:
    for name, arrays in files.items():
        spans = [(s.start, s.stop) for s in corpus.truth if s.dataset == name]
        assert len(spans) >= 5
        assert spans[0][0] == 0
        assert spans[-1][1] == len(arrays["body_pose"])
        assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))


@given(st.integers(20 * 53, 40_000_000))
def test_frames_are_apportioned_exactly(frames: int) -> None:
    sizes = apportion(frames)
    assert sum(sizes.values()) == frames
    assert min(sizes.values()) >= 10
    assert sizes["SignAvatarsLang-001"] >= sizes["CMU"] >= sizes["Bedlam"] >= sizes["EyesJapan"] >= sizes["GRAB"]


def test_sizes_follow_the_published_ones() -> None:
    sizes = apportion(30_000_000)
    published = {"CMU": 4.0, "Bedlam": 3.2, "EyesJapan": 2.9, "GRAB": 1.6, "DanceDB": 1.5}
    for name, millions in published.items():
        assert sizes[name] / sizes["SignAvatarsLang-001"] == pytest.approx(millions / 5.0, rel=0.01)


def test_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    def digests(folder: Path, seed: int) -> dict[str, str]:
        demo_corpus.write(folder, frames=3000, seed=seed)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    first = digests(tmp_path / "a", 7)
    assert digests(tmp_path / "b", 7) == first
    other = digests(tmp_path / "b", 8)  # takes the place of the earlier corpus
    assert other["handprior.yaml"] == first["handprior.yaml"]
    assert all(other[name] != first[name] for name in first if name != "handprior.yaml")


def test_smallest_corpus_and_what_is_refused(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    corpus = demo_corpus.write(tmp_path / "small", frames=1060, progress=lambda *args: seen.append(args))
    assert sum(s.stop - s.start for s in corpus.truth) == 1060
    assert len(seen) == len(corpus.truth)
    assert [done for name, done, _ in seen if name == "SSM"][-1] == seen[-1][2]
    with pytest.raises(ValueError, match="frames must be at least 1060"):
        demo_corpus.write(tmp_path / "smaller", frames=1059)
    with pytest.raises(ValueError, match="seed must be 0 or more"):
        demo_corpus.write(tmp_path / "smaller", seed=-1)
    assert not (tmp_path / "smaller").exists()


@pytest.mark.parametrize("sidecar", [None, "synthetic: false\n", "hand_mean: {GRAB: rel}\n", "{broken"])
def test_recorded_data_are_never_replaced(tmp_path: Path, sidecar: str | None) -> None:
    recorded = tmp_path / "GRAB.npz"
    recorded.write_bytes(b"somebody's year of work")
    if sidecar is not None:
        (tmp_path / "handprior.yaml").write_text(sidecar)
    with pytest.raises(ValueError, match="not marked as synthetic"):
        demo_corpus.write(tmp_path, frames=1060)
    assert recorded.read_bytes() == b"somebody's year of work"


def test_other_files_are_never_mixed_with_synthetic_ones(tmp_path: Path) -> None:
    (tmp_path / "handprior.yaml").write_text("synthetic: true\n")
    (tmp_path / "MyCapture.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"other files \(MyCapture.npz\)"):
        demo_corpus.write(tmp_path, frames=1060)


# The motion


def test_live_hands_stay_inside_joint_limits(corpus: DemoCorpus, files: dict, notes: dict) -> None:
    for sequence in sound_sequences(corpus):
        hands = hands_incl(sequence, files, notes)
        for left in (hands[:, :45], mirror_hand(hands[:, 45:])):
            angles = angles_from_pose(left)
            assert (angles > LIMITS[..., 0] - 1e-4).all(), sequence
            assert (angles < LIMITS[..., 1] + 1e-4).all(), sequence


def test_hands_move_smoothly_and_bodies_turn_between_sequences(corpus: DemoCorpus, files: dict, notes: dict) -> None:
    for sequence in sound_sequences(corpus):
        joints = hands_incl(sequence, files, notes).reshape(-1, 30, 3)
        step = geodesic_angle(joints[1:], joints[:-1])
        # From one shape straight to another, some joint would turn by 60 degrees and more in one frame.
        assert np.rad2deg(step.max()) < 40, sequence
    for sequence in corpus.truth:
        heading = files[sequence.dataset]["global_orient"].astype(np.float64)
        span = heading[sequence.start : sequence.stop]
        still = np.isfinite(span).all(axis=1)
        within = geodesic_angle(span[1:], span[:-1])[still[1:] & still[:-1]]
        if not any(flaw.kind == "frozen_picture" for flaw in sequence.flaws):
            assert np.rad2deg(within.max()) < 6, sequence
        if sequence.start:
            assert np.rad2deg(geodesic_angle(heading[sequence.start - 1], heading[sequence.start])) > 25, sequence


def test_hands_look_like_peoples_statistically(corpus: DemoCorpus, files: dict, notes: dict) -> None:
    """Against ARCTIC and sign words (27-28 components hold 95 %, mirrored correlation 0.14 and 0.50)."""
    hands = np.concatenate([hands_incl(s, files, notes) for s in sound_sequences(corpus)])
    spread = np.linalg.eigvalsh(np.cov(hands.T))[::-1]
    assert 18 <= np.searchsorted(np.cumsum(spread) / spread.sum(), 0.95) + 1 <= 32
    left, right = hands[:, :45], mirror_hand(hands[:, 45:])
    assert 0.14 <= np.mean([np.corrcoef(left[:, k], right[:, k])[0, 1] for k in range(45)]) <= 0.55
    # No axis is a constant, and no combination of them is.
    assert hands.std(axis=0).min() > 0.02
    assert spread[-1] > 1e-5


def test_bodies_of_classical_mocap_move_while_their_hands_do_not(corpus: DemoCorpus, files: dict, notes: dict) -> None:
    frames = dead = 0
    mean = np.array(notes["hands_mean"], np.float32)
    for sequence in (s for s in corpus.truth if s.dataset in LOW.split()):
        frames += sequence.stop - sequence.start
        if sequence.is_live:
            continue
        dead += sequence.stop - sequence.start
        file = files[sequence.dataset]
        span = slice(sequence.start, sequence.stop)
        stored = np.concatenate([file["lhand_pose"][span], file["rhand_pose"][span]], axis=1)
        assert (stored == stored[0]).all()
        is_rel = notes["hand_mean"].get(sequence.dataset) == "rel"
        if sequence.left == "mean":
            np.testing.assert_allclose(stored[0], 0 if is_rel else mean, atol=5e-8)
        elif sequence.left == "zero":
            assert not stored.any()
        else:
            assert np.abs(stored[0] - mean).max() > 0.1
        assert file["body_pose"][span].std(axis=0).mean() > 0.005
    assert 0.6 < dead / frames < 0.95


def test_live_hands_are_alive(corpus: DemoCorpus, files: dict, notes: dict) -> None:
    for sequence in sound_sequences(corpus):
        hands = hands_incl(sequence, files, notes)
        assert (np.abs(np.diff(hands, axis=0)).max(axis=1) > 1e-5).all(), sequence


# The flaws


def flaws_of(corpus: DemoCorpus, kind: str) -> list[tuple[SequenceTruth, slice]]:
    found = [(s, slice(f.start, f.stop)) for s in corpus.truth for f in s.flaws if f.kind == kind]
    assert found
    return found


def test_frames_are_lost_exactly_where_stated(corpus: DemoCorpus, files: dict) -> None:
    stated = {name: np.zeros(len(arrays["rhand_pose"]), bool) for name, arrays in files.items()}
    for sequence, span in flaws_of(corpus, "lost_frames"):
        stated[sequence.dataset][span] = True
    for name, arrays in files.items():
        found = np.any([np.isnan(arrays[key]).any(axis=1) for key in SHAPES], axis=0)
        np.testing.assert_array_equal(found, stated[name])
    share = sum(mask.sum() for mask in stated.values()) / FRAMES
    assert 0 < share < 0.01


def test_copied_hand_is_the_mirrored_right_one_and_only_there(corpus: DemoCorpus, files: dict) -> None:
    copied = {(s.dataset, s.start) for s, _ in flaws_of(corpus, "copied_hand")}
    for sequence in (s for s in corpus.truth if s.right == "live"):
        file, span = files[sequence.dataset], slice(sequence.start, sequence.stop)
        is_copy = np.array_equal(file["lhand_pose"][span], mirror_hand(file["rhand_pose"][span]))
        assert is_copy == ((sequence.dataset, sequence.start) in copied) == (sequence.left == "copied")


def test_picture_freezes_for_more_than_a_second(corpus: DemoCorpus, files: dict) -> None:
    for sequence, span in flaws_of(corpus, "frozen_picture"):
        assert span.stop - span.start > sequence.fps
        for key in SHAPES:
            values = files[sequence.dataset][key][span]
            assert (values == values[0]).all()


def test_jitter_stands_out(corpus: DemoCorpus, files: dict) -> None:
    for sequence, span in flaws_of(corpus, "jitter_burst"):
        hand = files[sequence.dataset]["rhand_pose"][sequence.start : sequence.stop]
        shake = np.abs(np.diff(hand, n=2, axis=0)).mean(axis=1)
        inside = slice(span.start - sequence.start + 1, span.stop - sequence.start - 3)
        assert shake[inside].min() > 3 * np.median(shake)


def test_angles_beyond_pi_in_arctic_are_the_same_rotations(corpus: DemoCorpus, files: dict, notes: dict) -> None:
    share = {}
    for name in files:
        sequences = [s for s in corpus.truth if s.dataset == name and s.is_live]
        if sequences:
            raw = np.concatenate([hands_incl(s, files, notes, principal=False) for s in sequences])
            share[name] = np.mean(np.linalg.norm(raw.reshape(-1, 3), axis=1) > np.pi)
    assert {name for name, value in share.items() if value > 0} == {"arctic"}
    assert 0.01 < share["arctic"] < 0.15
    assert notes["hand_mean"]["arctic"] == "rel"  # where the mean has to be added before the angle is wrapped
