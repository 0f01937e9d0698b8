"""Run configurations: presets, overrides, and one clear line for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import config
from training.config import RunConfig, parse_assignments, resolve
from training.priors import PRIORS
from training.priors.hand_vae import HandVAESettings
from training.priors.hand_vae_so3 import HandVAESO3Settings


@pytest.mark.parametrize("prior", PRIORS)
def test_every_prior_has_a_preset(prior: str) -> None:
    """A fast and a published one, or one of the prior's own name; the default is the fast one."""
    names = list(config.presets(prior))
    assert prior in names or {"fast", "published"} <= set(names), names
    assert names[0] in ("fast", prior)
    assert resolve(prior) == resolve(prior, names[0])


@pytest.mark.parametrize("path", sorted(config.CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_file_is_valid(path: Path) -> None:
    assert path.stem.startswith(resolve(preset=path).prior)


def test_published_hand_vae() -> None:
    published = resolve("hand_vae", "published")
    assert (published.batch_size, published.learning_rate, published.max_epochs) == (8192, 3e-4, 100)
    network = {"z_dim": 24, "hidden": 256, "n_layers": 3, "dropout": 0.1, "activation": "gelu"}
    expected = HandVAESettings(**network, layer_norm="last", noise="decoded", kl_warmup_epochs=10.0)  # type: ignore[arg-type]
    assert published.model == expected
    on_rotations = HandVAESO3Settings(**network, layer_norm="first", kl_warmup_epochs=10.0)  # type: ignore[arg-type]
    assert resolve("hand_vae_so3", "published").model == on_rotations


def test_overrides_lie_on_top_of_the_preset() -> None:
    made = resolve("hand_vae", "fast", {"model.z_dim": 32, "seed": "7", "batch_size": 1024})
    assert (made.model.z_dim, made.seed, made.batch_size) == (32, 7, 1024)
    assert made.schedule == "cosine"
    assert resolve("hand_vae", overrides={"model": {"z_dim": 9}}).model.hidden == resolve("hand_vae").model.hidden


def test_reads_back_what_it_writes(tmp_path: Path) -> None:
    made = resolve("hand_vae", "fast", {"gradient_clip": None, "precision": "bf16", "store": "/somewhere"})
    (tmp_path / "config.yaml").write_text(made.to_yaml())
    assert config.read(tmp_path / "config.yaml") == made


def test_numbers_written_as_yaml_reads_them() -> None:
    """YAML takes 1e-3 for a string; the superseded project trained with such strings."""
    given = parse_assignments(["learning_rate=1e-3", "max_epochs=1e2", "threads=null", "logger=none", "precision=32"])
    assert given["learning_rate"] == "1e-3"
    made = resolve("hand_vae", overrides=given)
    assert (made.learning_rate, made.max_epochs, made.threads) == (1e-3, 100, None)
    assert isinstance(made.max_epochs, int)
    assert made.precision == "32"


@pytest.mark.parametrize(("devices", "expected"), [("cpu", "cpu"), ("2", 2), (1, 1), ("auto", "auto")])
def test_devices(devices: str | int, expected: str | int) -> None:
    assert resolve("gaussian", overrides={"devices": devices}).devices == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batchsize": 3}, "unknown key batchsize; did you mean batch_size"),
        ({"model.zdim": 3}, "unknown key model.zdim; did you mean model.z_dim"),
        ({"z_dim": 3}, r"unknown key z_dim; did you mean model\.z_dim"),
        ({"lr": 1e-3}, "unknown key lr; did you mean learning_rate"),
        ({"model.lr": 1e-3}, r"unknown key model\.lr; did you mean learning_rate"),
        ({"Z_DIM": 3}, r"unknown key Z_DIM; did you mean model\.z_dim"),
        ({"gpus": 3}, "unknown key gpus; did you mean devices"),
        ({"learning_rate": "inf"}, "learning_rate must be a number, got 'inf'"),
        ({"model.learning_rate": 3}, "unknown key model.learning_rate; did you mean learning_rate"),
        ({"batch_size": "many"}, "batch_size must be a whole number, got 'many'"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, got 2.5"),
        ({"learning_rate": True}, "learning_rate must be a number, got True"),
        ({"learning_rate": -1}, "learning_rate must be above 0, got -1"),
        ({"learning_rate": ".nan"}, "learning_rate must be"),
        ({"max_epochs": 0}, "max_epochs must be at least 1, got 0"),
        ({"logger": "tensorbord"}, "logger must be one of none, tensorboard, wandb, got 'tensorbord'"),
        ({"gradient_clip": "much"}, "gradient_clip must be a number or null, got 'much'"),
        ({"devices": "tpu"}, "devices must be auto, cpu, cuda or a number of GPUs, got 'tpu'"),
        ({"model.dropout": 2}, "model.dropout must be at least 0 and below 1, got 2"),
        ({"model": 3}, "model must be a group of settings"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"ema": 1}, "ema must be above 0 and below 1, for example 0.999, got 1"),
        ({"processes": 2, "devices": "cuda"}, "processes=2 is for devices=cpu"),
    ],
)
def test_mistakes_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        resolve("hand_vae", overrides=given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("prior", "preset", "message"),
    [
        ("hand_va", None, "unknown prior 'hand_va'; did you mean hand_vae?"),
        ("hand_vae", "fats", "unknown preset of hand_vae 'fats'; did you mean fast?"),
        ("gaussian", config.CONFIGS / "hand_vae_fast.yaml", "is a preset of hand_vae, not of gaussian"),
        (None, None, "does not say which prior"),
    ],
)
def test_unknown_priors_and_presets(prior: str | None, preset: str | Path | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(prior, preset)


def test_unreadable_presets(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no preset file nowhere\.yaml"):
        resolve("gaussian", "nowhere.yaml")
    file = tmp_path / "mine.yaml"
    file.write_text("a: [1")
    with pytest.raises(ValueError, match=r"mine\.yaml is not readable as YAML"):
        resolve("gaussian", file)
    file.write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(ValueError, match="not readable as YAML"):
        resolve("gaussian", file)
    file.write_text("- a")
    with pytest.raises(ValueError, match="must hold `key: value` lines"):
        resolve("gaussian", file)


def test_a_configuration_of_another_version_is_refused(tmp_path: Path) -> None:
    made = resolve("hand_vae", "fast")
    file = tmp_path / "config.yaml"
    file.write_text(made.to_yaml().replace(f"version: {made.version}", "version: 0"))
    with pytest.raises(ValueError, match=r"config\.yaml is a configuration of version 0, .* version 1: put its values"):
        config.read(file)


def test_assignment_without_a_value() -> None:
    with pytest.raises(ValueError, match="takes key=value"):
        parse_assignments(["model.z_dim"])


def test_config_is_frozen() -> None:
    with pytest.raises(AttributeError):
        RunConfig(prior="gaussian").seed = 3  # type: ignore[misc]
