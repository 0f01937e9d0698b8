"""The configuration of a run: typed, from a YAML preset, every value overridable, every mistake named.

``resolve("hand_vae", overrides={"model.z_dim": 32})`` reads ``configs/hand_vae_fast.yaml`` and puts that on top.
An unknown key is refused with the nearest right one; a value of the wrong type with its key and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from training.priors import PRIORS
from training.typed_values import known, typed

CONFIGS = Path(__file__).parent / "configs"

_LARGEST_SEED = 2**53
"""Larger whole numbers are not told apart once a file has been read by another language."""

CONFIG_VERSION = 1
"""Version of the keys below; raised when a key changes its meaning, so that an old file cannot mean something else."""


@dataclass(frozen=True)
class RunConfig:
    """What one training run does.

    Attributes:
        prior: Which prior: a name in ``PRIORS``.
        store: The packed store to train on.
        seed: Of weights, batches and noise.
        max_epochs: Passes over the train split, unless ``patience`` ends training earlier.
        batch_size: Frames per gradient step, in each process.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW, on weight matrices only; with 0 it is Adam.
        schedule: ``constant``, or down to zero over all epochs as a cosine: a little at each step (``cosine``), or at
            the end of each epoch (``cosine_by_epoch``).
        warmup_epochs: Epochs over which the learning rate grows from zero.
        gradient_clip: Largest gradient norm; null for none.
        ema: Decay of an exponential moving average of the weights (0.999), which is then what is scored and kept; null
            keeps the weights themselves.
        patience: Looks at the val split without a better one after which training ends by itself; null for never.
        precision: ``32`` or ``bf16`` (mixed; likelihoods stay in 32 bits).
        devices: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, or a number of GPUs.
        processes: Processes that share the work on the CPU; with GPUs there is one for each.
        num_nodes: Machines that share the work; each runs the same command (see docs/training_on_clusters.md).
        logger: ``none``, ``tensorboard`` or ``wandb``, beside metrics.jsonl, which is always written.
        val_every_epochs: Epochs between two looks at the val split.
        val_frames: Frames of the val split looked at in training, drawn evenly; the final card takes more.
        log_seconds: Seconds between two lines of training metrics.
        threads: CPU threads; null leaves torch's choice.
        model: The prior's own settings.
        version: Of this configuration's keys.
    """

    prior: str
    store: str = ""
    seed: int = 0
    max_epochs: int = 100
    batch_size: int = 8192
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    schedule: Literal["constant", "cosine", "cosine_by_epoch"] = "constant"
    warmup_epochs: float = 0.0
    gradient_clip: float | None = None
    ema: float | None = None
    patience: int | None = None
    precision: Literal["32", "bf16"] = "32"
    devices: str | int = "auto"
    processes: int = 1
    num_nodes: int = 1
    logger: Literal["none", "tensorboard", "wandb"] = "none"
    val_every_epochs: int = 1
    val_frames: int = 4096
    log_seconds: float = 1.0
    threads: int | None = None
    model: Any = field(default=None)
    version: int = CONFIG_VERSION

    def __post_init__(self) -> None:
        whole = ("max_epochs", "batch_size", "val_every_epochs", "val_frames", "threads", "patience")
        for name in (*whole, "processes", "num_nodes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if abs(self.seed) > _LARGEST_SEED:
            raise ValueError(f"seed must be within {_LARGEST_SEED}, got {self.seed}")
        for name in ("learning_rate", "log_seconds", "gradient_clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")
        for name in ("weight_decay", "warmup_epochs"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.devices not in ("auto", "cpu", "cuda") and not (isinstance(self.devices, int) and self.devices > 0):
            raise ValueError(f"devices must be auto, cpu, cuda or a number of GPUs, got {self.devices!r}")
        if self.processes > 1 and self.devices != "cpu":
            raise ValueError(f"processes={self.processes} is for devices=cpu: with GPUs, devices says how many of them")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema must be above 0 and below 1, for example 0.999, got {self.ema}")

    def to_yaml(self) -> str:
        """This configuration as YAML; :func:`read` gives it back."""
        return yaml.safe_dump(asdict(self), sort_keys=False)


DEFAULT_PRESET = "fast"
"""The preset that is taken where none is named and the prior has it."""


def presets(prior: str) -> dict[str, Path]:
    """Presets of a prior by name, the default one first.

    ``fast`` and ``published`` where the files are ``<prior>_fast.yaml`` and ``<prior>_published.yaml``; the prior's own
    name where there is only ``<prior>.yaml``.
    """
    found = {}
    for path in sorted(CONFIGS.glob(f"{prior}*.yaml")):
        owners = [name for name in PRIORS if path.stem == name or path.stem.startswith(f"{name}_")]
        if max(owners, key=len, default="") == prior:  # gaussian_mixture_fast is none of gaussian's
            found[path.stem.removeprefix(f"{prior}_")] = path
    return dict(sorted(found.items(), key=lambda item: (item[0] != DEFAULT_PRESET, item[0] != prior, item[0])))


def resolve(
    prior: str | None = None,
    preset: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Make the configuration of a run: preset, then overrides.

    Args:
        prior: Name of the prior; may be left out if the preset's file says it.
        preset: A preset's name (``fast``, ``published``) or a YAML file; by default ``fast``, where the prior has it.
        overrides: Values by dotted key (``{"batch_size": 256, "model.z_dim": 32}``), over the preset.

    Raises:
        ValueError: Unknown prior, preset or key, or a value of the wrong type or out of range.
        FileNotFoundError: The preset file does not exist.
    """
    if prior is not None:
        known(prior, PRIORS, "prior")
    path = _preset_path(prior, preset)
    tree = _read_yaml(path) if path else {}
    if prior and tree.setdefault("prior", prior) != prior:
        raise ValueError(f"{path} is a preset of {tree['prior']}, not of {prior}")
    return build(_overlay(tree, overrides or {}))


def read(path: str | Path) -> RunConfig:
    """Read a configuration written by :meth:`RunConfig.to_yaml`."""
    return build(_read_yaml(Path(path)))


def learns_in(config: RunConfig) -> RunConfig:
    """The same configuration, if its prior learns in its precision.

    Raises:
        ValueError: It would not.
    """
    if config.precision == "bf16" and not PRIORS[config.prior].safe_in_bf16:
        raise ValueError(f"{config.prior} does not learn in bf16, its loss would not be a number: set precision=32")
    return config


def build(tree: Mapping[str, Any]) -> RunConfig:
    """Turn nested plain values into a checked :class:`RunConfig`; ``model`` into the prior's own settings."""
    tree = dict(tree)
    name = tree.get("prior")
    if name is None:
        raise ValueError(f"the configuration does not say which prior; one of: {', '.join(PRIORS)}")
    settings = PRIORS[known(str(name), PRIORS, "prior")].Settings
    model = tree.pop("model", None) or {}
    if not isinstance(model, Mapping):
        raise ValueError(f"model must be a group of settings (model.<key>), got {model!r}")
    checked = typed(RunConfig, tree, prefix="", also=[f"model.{f.name}" for f in fields(settings)])
    also = [f.name for f in fields(RunConfig) if f.name != "model"]
    return RunConfig(**checked, model=settings(**typed(settings, model, prefix="model.", also=also)))


def parse_assignments(pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``key=value`` strings of the command line; values are YAML, so that numbers and ``null`` are what they are.

    Raises:
        ValueError: A string without ``=`` or whose value is not YAML.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or not key.strip():
            raise ValueError(f"--set takes key=value (for example model.z_dim=32), got {pair!r}")
        try:
            overrides[key.strip()] = yaml.safe_load(text)
        except yaml.YAMLError:
            overrides[key.strip()] = text
    return overrides


def _preset_path(prior: str | None, preset: str | Path | None) -> Path | None:
    if preset is None:
        return next(iter(presets(prior).values()), None) if prior else None
    if Path(preset).suffix in (".yaml", ".yml"):
        if not Path(preset).exists():
            raise FileNotFoundError(f"no preset file {preset}")
        return Path(preset)
    own = presets(prior) if prior else {}
    return own[known(str(preset), own, f"preset of {prior}")]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ValueError(f"{path} must hold `key: value` lines, got {type(tree).__name__}")
    if tree.get("version", CONFIG_VERSION) != CONFIG_VERSION:
        raise ValueError(
            f"{path} is a configuration of version {tree['version']}, this program reads version {CONFIG_VERSION}: put "
            "its values into a preset of today (training/configs), or use the handprior that its run's card names"
        )
    return tree


def _overlay(tree: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Put dotted or nested overrides over a tree of plain values."""
    for key, value in overrides.items():
        group, _, rest = key.partition(".")
        if rest:
            inner = tree.get(group)
            tree[group] = _overlay(dict(inner) if isinstance(inner, Mapping) else {}, {rest: value})
        elif isinstance(value, Mapping):
            tree = _overlay(tree, {f"{key}.{name}": inner for name, inner in value.items()})
        elif is_dataclass(value) and not isinstance(value, type):
            tree[key] = asdict(value)
        else:
            tree[key] = value
    return tree
