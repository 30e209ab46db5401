"""`kmm batch` as it is called: real processes, a real model (a small one), killed with -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from kmm import formats
from kmm.batch.jobs import Failed, parse
from kmm.batch.processes import ATTEMPTS, Processes
from kmm.model.pipeline import Pipeline

from .conftest import command, contents, kmm_batch, listed, strays

Write = Callable[..., Path]


def wait_for(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def lines_in(folder: Path) -> int:
    path = folder / "manifest.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_batch_is_what_the_pipeline_makes_and_a_bad_line_stops_nothing(
    tmp_path: Path, small: str, write_jobs: Write
) -> None:
    out = tmp_path / "out"
    jobs = write_jobs(
        2,
        '{"prompts": ["a person walks"]}',
        '{"prompts": ["a person hops@0.05"]}',
        '{"prompts": ["a person runs@1", "a person stops@1"], "samples": 2, "format": ["bvh", "npz"], "id": "run"}',
    )
    arguments = (jobs, "--out", out, "--weights", small, "--device", "cpu", "--workers", 2)
    done = kmm_batch(*arguments, "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["made"], told["failed"], told["skipped"]) == (4, 2, 0)
    assert "failed.jsonl" in done.stderr
    failed = [json.loads(line) for line in (out / "failed.jsonl").read_text().splitlines()]
    assert {line["job"] for line in failed} == {"line 3", "000004"}
    files = listed(out)
    assert set(files) == {"000001.npz", "000002.npz", "run-0.bvh", "run-0.npz", "run-1.bvh", "run-1.npz"}
    assert not strays(out, files)

    pipeline = Pipeline.load(small, "cpu")
    [_, take] = parse(jobs.read_bytes().splitlines()[-1], 5)
    line = files["run-1.npz"]
    assert (line["seed"], line["frames"], line["weights_sha256"]) == (take.seed, 60, pipeline.sha256)
    formats.save(pipeline.clip(take.segments, take.seed), tmp_path / "alone.npz")
    assert (tmp_path / "alone.npz").read_bytes() == (out / "run-1.npz").read_bytes(), "bit for bit"

    before = (out / "manifest.jsonl").read_bytes()
    (out / "run-0.bvh").unlink()
    again = json.loads(kmm_batch(*arguments, "--json").stdout)
    assert (again["made"], again["skipped"]) == (1, 3)
    assert contents(out) == {
        json.loads(line)["file"]: json.loads(line)["sha256"] for line in before.splitlines()
    }


def test_jobs_from_a_pipe_are_made_as_they_come(tmp_path: Path, small: str) -> None:
    """The first motion is there before the second job is; Ctrl-D ends the batch."""
    out = tmp_path / "out"
    with subprocess.Popen(
        command("-", "--out", out, "--weights", small, "--device", "cpu", "--workers", 1, "--json"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for n in range(2):
            process.stdin.write('{"prompts": ["a person walks@0.5"]}\n')
            process.stdin.flush()
            wait_for(lambda n=n: lines_in(out) == n + 1)  # type: ignore[misc]
        process.stdin.close()
        told = json.loads(process.stdout.read())
        assert process.wait(60) == 0
    assert told["made"] == 2
    assert len(listed(out)) == 2


def test_kill_9_and_go_on(tmp_path: Path, small: str, write_jobs: Write) -> None:
    """Equal to a batch that nobody killed; the processes of the killed one do not live on."""
    killed_and_resumed(tmp_path, write_jobs(40), small, kills=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_2000_jobs_killed_three_times(tmp_path: Path, small: str, write_jobs: Write) -> None:
    killed_and_resumed(tmp_path, write_jobs(2000), small, kills=3)


def killed_and_resumed(tmp_path: Path, jobs: Path, weights: str, kills: int) -> None:
    count = jobs.read_bytes().count(b"\n")
    arguments = ("--weights", weights, "--device", "cpu", "--workers", 2)
    out, whole = tmp_path / "killed", tmp_path / "whole"
    for kill in range(kills):
        with subprocess.Popen(command(jobs, "--out", out, *arguments), stderr=subprocess.DEVNULL) as process:
            wait_for(lambda kill=kill: lines_in(out) > (kill + 1) * count // (kills + 2), 1800)  # type: ignore[misc]
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        assert children
        wait_for(lambda children=children: not any(alive(child) for child in children))  # type: ignore[misc]
        assert lines_in(out) < count
    done = kmm_batch(jobs, "--out", out, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["skipped"] + told["made"] == count
    assert told["skipped"] >= count * kills // (kills + 2), "what is done is not done again"
    files = listed(out)
    assert len(files) == count
    assert not strays(out, files)
    assert kmm_batch(jobs, "--out", whole, *arguments).returncode == 0
    assert contents(out) == contents(whole)


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_worker_that_dies_costs_nothing(small: str) -> None:
    takes = [parse(b'{"prompts": ["a person walks@0.5"]}', n)[0] for n in range(12)]
    with Processes(small, "cpu", count=2) as pool:
        results = pool.run(takes)
        seen = [next(results)]
        os.kill(pool.pids[0], signal.SIGKILL)
        seen += results
        assert pool.count == 2
    assert all(not isinstance(result, Failed) for result in seen)
    assert sorted(result[0].name for result in seen) == [take.name for take in takes]  # type: ignore[index]


@pytest.mark.slow
def test_a_take_that_kills_its_process_is_given_up(small: str) -> None:
    [long] = parse(b'{"prompts": ["a person walks@1800"], "id": "long"}', 1)
    [short] = parse(b'{"prompts": ["a person walks@0.5"], "id": "short"}', 2)
    killed: list[int] = []
    with Processes(small, "cpu", count=1) as pool:

        def murder() -> None:
            while len(killed) < ATTEMPTS:
                for worker in list(pool._workers):
                    if "long" in worker.takes and worker.process.pid not in killed:
                        killed.append(worker.process.pid)
                        os.kill(worker.process.pid, signal.SIGKILL)
                time.sleep(0.02)

        murderer = threading.Thread(target=murder)
        murderer.start()
        results = list(pool.run([long, short]))
        murderer.join(10)
    failures = [result for result in results if isinstance(result, Failed)]
    assert [failed.name for failed in failures] == ["long"]
    assert "-9" in failures[0].sentence
    assert len(results) == 2


def test_a_model_that_is_not_there_is_one_sentence(tmp_path: Path, write_jobs: Write) -> None:
    done = kmm_batch(write_jobs(1), "--out", tmp_path / "out", "--weights", "nothing")
    assert done.returncode == 1
    assert "There are no weights 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_folder_has_motions_of_one_model(tmp_path: Path, small: str, write_jobs: Write) -> None:
    out = tmp_path / "out"
    assert kmm_batch(write_jobs(1), "--out", out, "--weights", small, "--workers", 1).returncode == 0
    text = (out / "manifest.jsonl").read_text()
    (out / "manifest.jsonl").write_text(text.replace(json.loads(text)["weights_sha256"], "0" * 64))
    done = kmm_batch(write_jobs(2), "--out", out, "--weights", small, "--workers", 1)
    assert done.returncode == 1
    assert "other weights" in done.stderr


def test_jobs_keep_to_given_frames(tmp_path: Path, small: str) -> None:
    """A clip's frames are given by file; a file that is too short fails alone."""
    clip = Pipeline.load(small, "cpu").clip(parse(b'{"prompts": ["a person walks@2"]}', 1)[0].segments, 1)
    formats.save(clip, tmp_path / "walk.npz")
    stretch = {"start": 0, "count": 20, "clip": str(tmp_path / "walk.npz"), "first": 40}
    job = {"prompts": ["a person walks@2"], "seed": 3, "id": "on"}
    jobs = [job | {"constraints": [stretch]}, job | {"id": "no", "constraints": [stretch | {"first": 50}]}]
    text = "".join(f"{json.dumps(line)}\n" for line in jobs)
    done = kmm_batch("-", "--out", tmp_path / "out", "--weights", small, "--workers", 1, stdin=text)
    assert done.returncode == 1
    failure = json.loads((tmp_path / "out" / "failed.jsonl").read_text())
    assert failure["job"] == "no"
    assert "60 frames" in failure["error"]
    made = formats.load(tmp_path / "out" / "on.npz")
    assert len(made) == 60
    assert np.linalg.norm(made.translation[:20] - clip.translation[40:], axis=-1).max() < 0.01


@pytest.mark.slow
def test_jobs_on_a_character(tmp_path: Path, small: str) -> None:
    """The body of one of our own files as a rig. A rig that is none fails alone."""
    pytest.importorskip("bpy", reason="a rig needs Blender")
    clip = Pipeline.load(small, "cpu").clip(parse(b'{"prompts": ["a person walks@1"]}', 1)[0].segments, 1)
    formats.save(clip, tmp_path / "body.glb")
    jobs = [
        {
            "prompts": ["a person walks@1"],
            "id": "on",
            "rig": str(tmp_path / "body.glb"),
            "format": ["glb", "bvh"],
        },
        {"prompts": ["a person walks@1"], "id": "none", "rig": str(tmp_path / "nothing.glb")},
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in jobs)
    done = kmm_batch(
        "-", "--out", tmp_path / "out", "--weights", small, "--device", "cpu", "--workers", 1, stdin=text
    )
    assert done.returncode == 1
    assert set(listed(tmp_path / "out")) == {"on.glb", "on.bvh"}
    assert json.loads((tmp_path / "out" / "failed.jsonl").read_text())["job"] == "none"
