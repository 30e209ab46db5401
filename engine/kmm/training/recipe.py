"""Recipes: the TOML files that `kmm train` follows, checked whole before anything is read or trained."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch

from kmm.model import weights as wt
from kmm.model.generator import Generator, GeneratorConfig
from kmm.model.text import MINILM
from kmm.model.tokenizer import FRAMES_PER_TOKEN
from kmm.training.generator import Objective
from kmm.training.loop import LoopConfig

RECIPES = Path(__file__).parent / "recipes"
WORDINGS = 8  #: texts a caption is said in, unless the recipe says

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of a recipe."""


class Sizes(Section, frozen=True, kw_only=True):
    """What may be chosen of `GeneratorConfig`; the rest is the tokenizer's and the text encoder's."""

    width: Positive = GeneratorConfig.width
    depth: Positive = GeneratorConfig.depth
    residual_depth: Positive = GeneratorConfig.residual_depth
    expand: Positive = GeneratorConfig.expand
    dropout: Share = GeneratorConfig.dropout

    def __post_init__(self) -> None:
        with torch.device("meta"):  # no memory, no numbers: only whether the sizes fit each other
            Generator(GeneratorConfig(**self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        return msgspec.structs.asdict(self)


class StageSection(LoopConfig, frozen=True, kw_only=True):
    """How one stage is trained. batch: examples of a step, on each device."""

    batch: Positive


class TokenizerSection(StageSection, frozen=True, kw_only=True):
    """Stage 1. init: a weights folder to start from, normalisation included."""

    init: str | None = None


class GeneratorSection(StageSection, frozen=True, kw_only=True):
    """Stage 2.

    init: a weights folder to start from, else size: sizes that differ from the default's. joined: how many motions to
    join from the training split's pieces; wordings: texts a caption is said in; phases: from how many of a clip's
    first four frames it is cut into tokens; text_encoder: a folder with another text encoder, for example CLIP.
    """

    init: str | None = None
    size: Sizes | None = None
    joined: Count = 0
    wordings: Positive = WORDINGS
    phases: Annotated[int, msgspec.Meta(ge=1, le=FRAMES_PER_TOKEN)] = FRAMES_PER_TOKEN
    text_encoder: str = MINILM
    objective: Objective = Objective()

    def __post_init__(self) -> None:
        if self.init is not None and self.size is not None:
            raise ValueError("size is that of init, leave one of them out")


class DecoderSection(StageSection, frozen=True, kw_only=True):
    """Stage 4. joined: how many motions to join, which it is trained on besides the recordings."""

    joined: Count


class SamplingSection(Section, frozen=True, kw_only=True):
    """`kmm.model.weights.Sampling`, written beside the weights."""

    steps: Positive = wt.Sampling.steps
    second: Count = wt.Sampling.second
    guidance: Annotated[float, msgspec.Meta(ge=0)] = wt.Sampling.guidance
    temperature: Annotated[float, msgspec.Meta(gt=0)] = wt.Sampling.temperature
    keep: Positive = wt.Sampling.keep

    def as_sampling(self) -> wt.Sampling:
        return wt.Sampling(**msgspec.structs.asdict(self))


class Recipe(Section, frozen=True, kw_only=True):
    """licence: of what is trained. commercial_only: only sets whose licence clearly allows commercial use."""

    licence: str
    commercial_only: bool = False


class ModelRecipe(Recipe, frozen=True, kw_only=True):
    """A tokenizer, a generator on its tokens and, if it says so, the generator's guidance and the decoder anew."""

    tokenizer: TokenizerSection
    generator: GeneratorSection
    guidance: StageSection | None = None
    decoder: DecoderSection | None = None
    sampling: SamplingSection = SamplingSection()


class EvaluatorRecipe(Recipe, frozen=True, kw_only=True):
    """The judge of generated motion."""

    evaluator: StageSection


def load_recipe(name: str) -> ModelRecipe | EvaluatorRecipe:
    """A recipe by name (a file in kmm/training/recipes) or by path; ValueError names the file, the table and the key
    that are wrong."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise ValueError(f"There is no recipe {name!r}; give a .toml file or one of: {known}.")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"The recipe {path} is not valid TOML: {error}.") from error
    kind: type[ModelRecipe | EvaluatorRecipe] = EvaluatorRecipe if "evaluator" in document else ModelRecipe
    missing = [f.name for f in msgspec.structs.fields(kind) if f.required and f.name not in document]
    if missing:
        raise ValueError(
            f"The recipe {path} has no {' and no '.join(missing)}; kmm-open.toml shows a whole one."
        )
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ValueError(
            f"The recipe {path} cannot be used: {_what(error)}; kmm-open.toml shows a whole one."
        ) from error


def _what(error: msgspec.ValidationError) -> str:
    """What is wrong and where, "generator.size.width: expected int, not str", of msgspec's "... - at `$.a.b`"."""
    problem, _, place = str(error).replace("`", "").replace(" | null", "").partition(" - at $")
    where = place.lstrip(".")
    if found := re.fullmatch(r"Object (missing required|contains unknown) field (.+)", problem):
        lacks = "has no" if found[1] == "missing required" else "has an unknown key"
        return f"{where} {lacks} {found[2]}".lstrip()
    problem = problem.replace("Expected object", "Expected a table").replace(", got ", ", not ")
    return f"{where}: {problem[0].lower()}{problem[1:]}"
