"""Weights folders: model.safetensors (tokenizer and generator), config.json, README.md (the model card).

Beside them may lie prompts.json and captions.safetensors, which `kmm evaluate known` writes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from kmm.model import known_prompts
from kmm.model.familiarity import Familiarity
from kmm.model.generator import Generator, GeneratorConfig
from kmm.model.known_prompts import Prompts
from kmm.model.tokenizer import Tokenizer, TokenizerConfig

DEFAULT = "kmm-open"


@dataclass(frozen=True)
class Sampling:
    """How these weights are best sampled, chosen without the prompts that are tested."""

    steps: int = 5  # network evaluations a window of tokens
    second: int = 2  # as many for its second token layer; 0: at once, like the finer ones
    guidance: float = 3.0
    temperature: float = 1.0
    keep: int = 64  # most likely codes that a token is drawn from


@dataclass(frozen=True)
class Weights:
    """A loaded model and what is known about it."""

    name: str
    licence: str
    sha256: str
    sampling: Sampling
    tokenizer: Tokenizer
    generator: Generator
    prompts: Prompts = field(default_factory=dict)  #: known to come out right, by kind
    familiarity: Familiarity | None = None  #: how near a prompt is to the captions of training


def shipped() -> dict[str, Path]:
    """Name -> folder of the weights that come with the project (in the installed package, or beside engine/)."""
    spec = find_spec("kmm")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    found: dict[str, Path] = {}
    for parent in (package / "weights", package.parents[1] / "weights"):
        for config in sorted(parent.glob("*/config.json")):
            found.setdefault(config.parent.name, config.parent)
    return found


def find(name: str) -> Path:
    """Folder of weights by name or by path; FileNotFoundError says which there are."""
    known = shipped()
    if name in known:
        return known[name]
    if (Path(name) / "config.json").is_file():
        return Path(name)
    names = ", ".join(sorted(known)) or "none"
    raise FileNotFoundError(
        f"There are no weights {name!r}: give a folder with config.json, or one of: {names}."
    )


def save(
    folder: Path,
    tokenizer: Tokenizer,
    generator: Generator,
    licence: str,
    sampling: Sampling,
    half: bool = True,
) -> None:
    """Write model.safetensors (float16 unless `half` is False) and config.json into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"tokenizer.{k}": v for k, v in tokenizer.state_dict().items()}
    state |= {f"generator.{k}": v for k, v in generator.state_dict().items()}
    # the normalisation is a handful of numbers, kept exact
    small = {k for k in state if k in ("tokenizer.mean", "tokenizer.std")}
    state = {k: (v.half() if half and k not in small else v).contiguous() for k, v in state.items()}
    save_file(state, folder / "model.safetensors")
    config = {
        "licence": licence,
        "tokenizer": asdict(tokenizer.config),
        "generator": generator.config.as_dict(),
        "sampling": asdict(sampling),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load(name: str, device: torch.device) -> Weights:
    """Read weights by name or path; FileNotFoundError or ValueError with a sentence for people."""
    folder = find(name)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tokenizer = Tokenizer(TokenizerConfig(**config["tokenizer"]))
        generator = Generator(GeneratorConfig(**config["generator"]))
        sampling, licence = Sampling(**config["sampling"]), str(config["licence"])
        state = load_file(folder / "model.safetensors")
        parts = {
            prefix: {k.removeprefix(prefix): v.float() for k, v in state.items() if k.startswith(prefix)}
            for prefix in ("tokenizer.", "generator.")
        }
        tokenizer.load_state_dict(parts["tokenizer."])
        generator.load_state_dict(parts["generator."])
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"The weights in {folder} cannot be read ({error}); install or copy them again."
        ) from error
    generator.codebooks.copy_(tokenizer.quantizer.codebooks)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    for module in (tokenizer, generator):
        module.eval().requires_grad_(False).to(device)
    return Weights(
        folder.name,
        licence,
        digest,
        sampling,
        tokenizer,
        generator,
        known_prompts.read(folder, digest),
        Familiarity.load(folder, digest),
    )
