"""Jobs on a Ray cluster of several workers on this machine, one of which is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import command, contents, kmm_batch, listed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
pytest.importorskip("ray", reason="Ray is not installed: pip install 'kmm[ray]'")

Write = Callable[..., Path]

#: Three worker machines with a processor each, as Ray sees it. Prints the address, kills one at a line, ends at EOF.
CLUSTER = """
import os, sys
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_raylet_start_wait_time_s"] = "60"
from ray.cluster_utils import Cluster

def patiently(start):
    # on a busy machine Ray gives a node of its own up after some seconds
    for attempt in range(5):
        try:
            return start()
        except Exception as error:
            print(error, file=sys.stderr, flush=True)
    raise SystemExit("Ray does not start here")

cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args={"num_cpus": 0}))
nodes = [patiently(lambda: cluster.add_node(num_cpus=1)) for _ in range(3)]
print(cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(nodes.pop(), allow_graceful=False)
    print("gone", flush=True)
cluster.shutdown()
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with (
        open(tmp_path / "ray.log", "w") as log,
        subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        address = next(line.strip() for line in lines if line[0].isdigit())
        yield address, process
        process.stdin.close()
        process.wait(120)


def test_a_cluster_that_loses_a_machine_makes_what_this_machine_makes(
    tmp_path: Path, small: str, write_jobs: Write, cluster: tuple[str, subprocess.Popen[str]]
) -> None:
    address, machines = cluster
    jobs = write_jobs(60, '{"prompts": ["a person walks"]}', frames=60)
    out, here = tmp_path / "cluster", tmp_path / "here"
    manifest = out / "manifest.jsonl"
    with subprocess.Popen(
        command(jobs, "--out", out, "--weights", small, "--device", "cpu", "--ray", address, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        end = time.monotonic() + 1200
        while not manifest.exists() or manifest.read_bytes().count(b"\n") < 10:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "no motions came"
            time.sleep(0.5)
        assert machines.stdin
        assert machines.stdout
        print("one machine less", file=machines.stdin, flush=True)
        assert "gone" in machines.stdout.readline()
        made = manifest.read_bytes().count(b"\n")
        stdout, stderr = process.communicate(timeout=1800)
    assert made < 60, "the machine was lost too late to matter"
    told = json.loads(stdout)
    assert (told["made"], told["failed"]) == (60, 1), stderr
    assert process.returncode == 1
    assert "Traceback" not in stderr
    done = kmm_batch(jobs, "--out", here, "--weights", small, "--device", "cpu", "--workers", 2)
    assert done.returncode == 1
    assert contents(out) == contents(here), "bit for bit"
    same = ("job", "seed", "frames", "fps", "weights", "weights_sha256", "digest")
    lines, others = listed(out), listed(here)
    assert all(lines[file][key] == others[file][key] for file in lines for key in same)


def test_what_cannot_be_is_one_sentence(tmp_path: Path, write_jobs: Write) -> None:
    jobs = write_jobs(1)
    for arguments, sentence in (
        (("--ray", "127.0.0.1:1"), "no Ray cluster"),
        (("--ray", "local", "--workers", 1, "--weights", "nothing"), "There are no weights"),
    ):
        done = kmm_batch(jobs, "--out", tmp_path / "out", "--device", "cpu", *arguments)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
