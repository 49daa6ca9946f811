"""Tests of tfft/launch.py, with programs that are no training."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tfft import launch
from tfft.errors import SettingError

# What stands in for tfft: each worker is told its number by TF_CONFIG.
PROGRAM = """
import json, os, signal, sys, time
told = json.loads(os.environ["TF_CONFIG"])
number = told["task"]["index"]
"""


@pytest.fixture(autouse=True)
def no_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def start(tmp_path):
    """Launch two workers that run some lines; return the process of the launcher."""

    def launching(lines):
        package = tmp_path / "tfft"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(PROGRAM + textwrap.dedent(lines))
        code = """if True:
            import os, sys
            from tfft import launch
            launch._NOTICE = 0.2
            os.chdir(sys.argv[1])
            sys.exit(launch.run([], 2))"""
        return subprocess.Popen(
            [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return launching


def test_each_worker_is_told_its_place_and_the_chief_alone_prints(start):
    process = start(
        "print(number, len(set(told['cluster']['worker'])), os.environ['TF_NUM_INTRAOP_THREADS'])"
    )
    out, err = process.communicate(timeout=60)
    threads = max(1, os.cpu_count() // 2)
    assert process.returncode == 0, err
    assert out == f"0 2 {threads}\n"
    assert err == f"[worker 2] 1 2 {threads}\n"


@pytest.mark.parametrize("failing", [0, 1])
def test_one_that_fails_ends_the_others_and_gives_its_code(start, failing):
    process = start(f"sys.exit(2) if number == {failing} else time.sleep(600)")
    process.communicate(timeout=60)
    assert process.returncode == 2


def test_one_that_is_killed_gives_the_code_of_a_shell(start):
    process = start("os.kill(os.getpid(), 9) if number else time.sleep(600)")
    process.communicate(timeout=60)
    assert process.returncode == 137


@pytest.mark.parametrize(
    ("number", "heard"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGHUP, signal.SIGTERM)],
)
def test_signals_are_passed_on_once(start, number, heard, tmp_path):
    process = start(
        """
        heard = []
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda signum, _: heard.append(signum))
        open(f"ready-{number}", "w").close()
        while not heard:
            time.sleep(0.01)
        time.sleep(0.5)
        sys.exit(100 + sum(heard))
        """
    )
    while not all((tmp_path / f"ready-{worker}").exists() for worker in (0, 1)):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 100 + heard


def test_the_chief_ends_its_save_when_a_signal_has_ended_the_other(start):
    # Longer than the notice after which another failure would have ended it.
    process = start("sys.exit(143) if number else (time.sleep(1.5), print('saved'), sys.exit(143))")
    out, _ = process.communicate(timeout=60)
    assert (out, process.returncode) == ("saved\n", 143)


def test_workers_share_the_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,GPU-7")
    assert [share["CUDA_VISIBLE_DEVICES"] for share in launch._shares(2)] == ["0,1", "2,GPU-7"]
    with pytest.raises(SettingError, match="--workers: must be at most the number of GPUs, 4, got 5"):
        launch.run([], 5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert all("CUDA_VISIBLE_DEVICES" not in share for share in launch._shares(2))
