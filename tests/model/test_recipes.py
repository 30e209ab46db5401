"""Recipes are checked whole, before anything is read or trained, and say what is wrong in one sentence."""

from __future__ import annotations

import copy

import pytest
from kmm.cli import app
from kmm.model.generator import Generator, GeneratorConfig
from kmm.training.recipe import RECIPES, EvaluatorRecipe, ModelRecipe, Sizes, load_recipe
from typer.testing import CliRunner

WHOLE = {
    "licence": "test",
    "commercial_only": True,
    "tokenizer": {"batch": 4, "steps": 2},
    "generator": {"batch": 4, "steps": 2, "size": {"width": 64}, "objective": {"masked": 0.5}},
    "guidance": {"batch": 4, "steps": 2},
    "sampling": {"guidance": 3},
}


def changed(path, value):
    """A whole recipe but for one key, such as "generator.size.width"; None leaves it out."""
    recipe = copy.deepcopy(WHOLE)
    *tables, key = path.split(".")
    table = recipe
    for name in tables:
        table = table[name]
    if value is None:
        del table[key]
    else:
        table[key] = value
    return recipe


def write(folder, recipe):
    """As TOML; the values above are few enough for that."""

    def toml(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + "}"
        return str(value).lower() if isinstance(value, bool) else repr(value)

    path = folder / "mine.toml"
    path.write_text("".join(f"{k} = {toml(v)}\n" for k, v in recipe.items()))
    return path


def test_the_recipes_that_come_with_kmm_are_whole():
    for path in RECIPES.glob("*.toml"):
        kind = EvaluatorRecipe if path.stem == "evaluator" else ModelRecipe
        assert isinstance(load_recipe(path.stem), kind), path
    with pytest.raises(ValueError, match="kmm-open"):
        load_recipe("nonsense")


def test_a_recipe_is_read_with_the_defaults_of_what_it_says_nothing_of(tmp_path):
    recipe = load_recipe(str(write(tmp_path, WHOLE)))
    assert recipe.generator.size.width == 64 and recipe.generator.size.depth == GeneratorConfig().depth
    assert recipe.generator.objective.masked == 0.5 and recipe.generator.objective.alignment == 0.5
    assert recipe.tokenizer.steps == 2 and recipe.tokenizer.ema == 0 and recipe.sampling.guidance == 3.0
    Generator(GeneratorConfig(**recipe.generator.size.as_dict()))


@pytest.mark.parametrize(
    "path, value, says",
    [
        ("licence", None, "has no licence"),
        ("generator", None, "has no generator"),
        ("licenc", "x", "has an unknown key licenc"),
        ("tokenizer", 3, "tokenizer: expected a table, not int"),
        ("tokenizer.steps", None, "tokenizer has no steps"),
        ("generator.batch", None, "generator has no batch"),
        ("guidance.stesp", 3, "guidance has an unknown key stesp"),
        ("generator.size.wdith", 3, "generator.size has an unknown key wdith"),
        ("generator.size.width", "big", "generator.size.width: expected int, not str"),
        (
            "generator.size.width",
            100,
            "generator.size: expand * width must be a multiple of the head size 64",
        ),
        ("generator.size.depth", 0, "generator.size.depth: expected int >= 1"),
        ("generator.init", "kmm-open", "generator: size is that of init"),
        ("generator.objective.masked", 2, "generator.objective.masked: expected float <= 1.0"),
        ("tokenizer.steps", 0, "tokenizer.steps: expected int >= 1"),
        ("tokenizer.learning_rate", -1.0, "tokenizer.learning_rate: expected float > 0.0"),
        ("guidance.mixed_precision", "fp8", "guidance.mixed_precision: invalid enum value 'fp8'"),
        ("sampling.keep", 1.5, "sampling.keep: expected int, not float"),
        ("commercial_only", "yes", "commercial_only: expected bool, not str"),
    ],
)
def test_a_wrong_recipe_names_file_table_and_key(tmp_path, path, value, says):
    file = write(tmp_path, changed(path, value))
    words = ["train", str(file), "--data", "nowhere", "--runs", str(tmp_path / "runs"), "--out", "out"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1 and len(result.stderr.strip().splitlines()) == 1
    assert "mine.toml" in result.stderr and says in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("section", ["tokenizer", "generator"])
def test_weights_to_start_from_that_are_not_there_are_told_before_data_is_read(tmp_path, section):
    recipe = changed("generator.size", None)
    recipe[section]["init"] = "nowhere"
    words = ["train", str(write(tmp_path, recipe)), "--data", "no-data", "--runs", "runs", "--out", "out"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1 and "no weights 'nowhere'" in result.stderr


def test_a_text_encoder_that_is_not_there_is_told_before_data_is_read(tmp_path):
    file = write(tmp_path, changed("generator.text_encoder", "nowhere"))
    words = ["train", str(file), "--data", "no-data", "--runs", "runs", "--out", "out"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1 and "No text encoder in nowhere" in result.stderr


def test_sizes_are_those_of_the_network():
    assert set(Sizes.__struct_fields__) <= set(GeneratorConfig.__dataclass_fields__)
    assert Sizes().as_dict().items() <= GeneratorConfig().as_dict().items()
