"""Tests of deploy/try_dockerfile.py on Dockerfiles whose steps take no time; by hand it runs the real one."""

import importlib.util
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

SCRIPT = Path(__file__).resolve().parents[1] / "deploy" / "try_dockerfile.py"


@pytest.fixture(scope="module")
def script():
    """Return the script as a module: it stands outside of the package."""
    spec = importlib.util.spec_from_file_location("try_dockerfile", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["try_dockerfile"] = module  # where dataclasses look
    spec.loader.exec_module(module)
    yield module
    del sys.modules["try_dockerfile"]


@pytest.fixture
def gone_through(script, tmp_path):
    """Write a Dockerfile, go through the stages of a target, and tell what came of each step."""

    def go(text, target, ignored=""):
        context, root = tmp_path / "context", tmp_path / "root"
        (context / "code" / "inner").mkdir(parents=True)
        (context / "code" / "inner" / "a.txt").write_text("a")
        (context / "secret.key").write_text("s")
        (context / ".dockerignore").write_text(ignored)
        (context / "Dockerfile").write_text(text)
        root.mkdir()
        chain = script.needed(script.read(context / "Dockerfile"), target)
        told = script.steps(chain, script.Root(root, context, chain))
        return [(stage.name, step.name, what.split(",")[0], well) for stage, step, what, well in told], root

    return go


STAGES = """\
ARG PYTHON=3.12
# A comment.
FROM scratch AS nothing
FROM python:${PYTHON}-slim AS base
ENV WHERE=/cache/x \\
    WHAT=seen
WORKDIR /src
FROM base AS made
RUN mkdir -p /made && echo "$WHAT" >/made/file
FROM base AS unrelated
RUN exit 1
FROM base AS last
RUN --mount=type=bind,from=made,source=/made,target=/made cat /made/file >seen.txt
"""


def test_stages_are_read_with_their_arguments_flags_and_lines(script, tmp_path):
    (tmp_path / "Dockerfile").write_text(STAGES)
    stages = script.read(tmp_path / "Dockerfile")
    assert {name: stage.base for name, stage in stages.items()} == {
        "nothing": "scratch",
        "base": "python:3.12-slim",
        "made": "base",
        "unrelated": "base",
        "last": "base",
    }
    assert [(each.name, each.line) for each in stages["base"].instructions] == [("ENV", 5), ("WORKDIR", 7)]
    (step,) = stages["last"].instructions
    assert step.flags == ("mount=type=bind,from=made,source=/made,target=/made",)
    assert step.value == "cat /made/file >seen.txt"


def test_a_target_brings_the_stages_that_it_needs_and_no_others(script, tmp_path):
    (tmp_path / "Dockerfile").write_text(STAGES)
    stages = script.read(tmp_path / "Dockerfile")
    assert [stage.name for stage in script.needed(stages, "last")] == ["base", "made", "last"]


def test_steps_run_below_the_folder_with_the_environment_of_the_file(gone_through):
    told, root = gone_through(STAGES, "last")
    assert told == [("made", "RUN", "ran", True), ("last", "RUN", "ran", True)]
    assert (root / "src" / "seen.txt").read_text() == "seen\n"
    assert not Path("/made").exists()


def test_nothing_of_the_caller_is_seen(gone_through, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    _, root = gone_through("FROM python:3 AS a\nWORKDIR /src\nENV AT=/cache\nRUN env >env.txt\n", "a")
    found = dict(line.split("=", 1) for line in (root / "src" / "env.txt").read_text().splitlines())
    assert "SECRET" not in found
    assert found["HTTP_PROXY"] == "http://127.0.0.1:1"
    assert (found["HOME"], found["AT"]) == (f"{root}/root", f"{root}/cache")


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("RUN useradd x", "not run: useradd changes the machine's accounts"),
        ("RUN true && apt-get update", "not run: apt-get changes the machine's packages"),
        ("RUN echo a >/etc/motd", "not run: it goes to /etc"),
        ("RUN rm -r /usr/lib/x", "not run: it goes to /usr"),
        ("COPY --from=busybox /bin/sh /src/", "not run: the files are those of busybox"),
    ],
)
def test_what_would_change_the_machine_is_not_run_and_told(gone_through, step, reason):
    told, _ = gone_through(f"FROM python:3 AS a\nWORKDIR /src\n{step}\nRUN true\n", "a")
    assert told[0][2:] == (reason, True)
    assert told[1][2:] == ("ran", True)


def test_a_step_of_another_image_is_not_run(gone_through):
    told, _ = gone_through("FROM debian:12 AS a\nRUN true\nFROM a AS b\nRUN true\n", "b")
    assert told == [(name, "RUN", "not run: it needs the image debian:12", True) for name in "ab"]


def test_a_step_that_fails_ends_it(gone_through):
    told, _ = gone_through("FROM python:3 AS a\nRUN exit 3\nRUN true\n", "a")
    assert told == [("a", "RUN", "FAILED: exit code 3", False)]


def test_files_are_copied_as_far_as_dockerignore_lets_them_through(gone_through):
    text = "FROM python:3 AS a\nWORKDIR /src\nCOPY code/ code/\nCOPY secret.key ./\n"
    told, root = gone_through(text, "a", ignored="# All but the code.\n*\n!code/\n")
    assert told[0][2:] == ("ran", True)
    assert (root / "src" / "code" / "inner" / "a.txt").read_text() == "a"
    assert told[1][2:] == ("FAILED: secret.key is not there", False)
    assert not (root / "src" / "secret.key").exists()


def test_a_target_that_is_not_there(script):
    result = CliRunner().invoke(script.main, ["train"])
    assert result.exit_code == 2
    assert "There is no stage 'train'; there is export, serve, base, " in result.output
