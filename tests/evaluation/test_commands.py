"""`kmm evaluate` and `kmm train` as a user calls them."""

import json

import pytest
from kmm.cli import app
from typer.testing import CliRunner

from ..model.small import write_weights


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
    assert overall["made"] == sum(k["made"] for k in told["kinds"].values())
    assert overall["passed"] == sum(k["passed"] for k in told["kinds"].values())


@pytest.mark.parametrize(
    "words, says",
    [
        (("evaluate", "directions", "--weights", "nowhere"), "no weights 'nowhere'"),
        (("train", "nothing", "--data", ".", "--runs", "runs", "--out", "out"), "no recipe 'nothing'"),
        (("train", "kmm-open", "--data", "nowhere", "--runs", "runs", "--out", "out"), "clips.jsonl"),
    ],
)
def test_a_wrong_word_gets_one_sentence(tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    result = kmm(*words)
    assert result.exit_code == 1
    assert says in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
