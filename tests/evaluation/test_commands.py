"""`kmm evaluate` and `kmm train` as a user calls them."""

import json

import pytest
from kmm.cli import app
from typer.testing import CliRunner

from ..model.small import write_weights


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path.with_name(tmp_path.name + "-recipe.toml")
    path.write_text("licence = 'none'\n[tokenizer]\nbatch = 2\n")
    return path


def kmm(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.mark.slow
def test_directions_are_judged_and_printed_for_scripts(tmp_path):
    weights = write_weights(tmp_path / "small")
    result = kmm("evaluate", "directions", "--weights", weights, "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["weights"] == "small" and told["seeds"] == 1
    overall = told["kinds"].pop("overall")
    assert overall["asked"] == sum(k["asked"] for k in told["kinds"].values())
    assert overall["passed"] == [sum(k["passed"][0] for k in told["kinds"].values())]
    assert overall["rate"]["half_width"] is None  # one seed has no spread


def test_a_recipe_without_all_its_parts_is_refused_before_anything_is_trained(recipe, tmp_path):
    result = kmm("train", recipe, "--data", tmp_path, "--runs", tmp_path / "runs", "--out", tmp_path / "out")
    assert result.exit_code == 1 and "has no generator" in result.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words, says",
    [
        (("evaluate", "directions", "--weights", "nowhere"), "no weights 'nowhere'"),
        (
            ("evaluate", "motion", "--data", ".", "--evaluator", "none.safetensors"),
            "no evaluator none.safetensors",
        ),
        (("train", "nothing", "--data", ".", "--runs", "runs", "--out", "out"), "no recipe 'nothing'"),
        (
            ("train", "kmm-open", "--data", "nowhere", "--runs", "runs", "--out", "out"),
            "clips.jsonl",
        ),
    ],
)
def test_a_wrong_word_gets_one_sentence(tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    result = kmm(*words)
    assert result.exit_code == 1
    assert says in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
