"""Run the steps of the Dockerfile that need no Docker, where nothing is but what the Dockerfile brings.

    pip install '.[test]'
    python deploy/try_dockerfile.py train-cpu

A machine without a Docker engine cannot build an image, but most of what breaks a build can be seen there:
files that .dockerignore keeps out, requirements that cannot be met together, a package that does not start.
The stages that a target needs are gone through in order. A fresh virtual environment stands for the Python
image, a temporary folder for the image's root, and the environment is empty but for what the Dockerfile sets
and what leads to the package registry. Each step is told with what came of it; one that would change the
machine itself, or that needs another image, is not run, and told with the reason. It takes minutes, gigabytes
of downloads for train-gpu, and exits with 1 when a step fails.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
from docker.utils import exclude_paths
from dockerfile_parse import DockerfileParser

CONTEXT = Path(__file__).resolve().parents[1]

CHANGES_THE_MACHINE = {
    "groupadd": "accounts",
    "useradd": "accounts",
    "usermod": "accounts",
    "apt-get": "packages",
    "apt": "packages",
    "dpkg": "packages",
    "chown": "owners of files",
}
"""What a command changes that a temporary folder does not hold."""

FOR_THE_REGISTRY = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE"),
)
"""What a build, too, is told from outside."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile.

    Attributes:
        name: Such as `RUN`, in capitals.
        flags: Those in front of its value, such as `mount=type=cache,target=/x`, without the dashes.
        value: What follows, on one line.
        line: Where it begins, from 1.
    """

    name: str
    flags: tuple[str, ...]
    value: str
    line: int


@dataclass
class Stage:
    """One stage: what it is built on, and the instructions after its FROM."""

    name: str
    base: str
    line: int
    instructions: list[Instruction] = field(default_factory=list)


class Refusal(Exception):
    """Why a step is not run here."""


class Fault(Exception):
    """Why the builder, too, would end at a step."""


def read(dockerfile: Path) -> dict[str, Stage]:
    """Return the stages by name, with the arguments in front of the first FROM put in."""
    with dockerfile.open("rb") as stream:
        structure = DockerfileParser(fileobj=stream).structure
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    for part in structure:
        name, value, line = part["instruction"], part["value"], part["startline"] + 1
        if name == "COMMENT":
            continue
        if name == "FROM":
            base, _, stage = re.sub(r"\$\{(\w+)\}", lambda m: arguments[m[1]], value).partition(" AS ")
            stages[stage] = Stage(stage, base, line)
        elif not stages:  # only ARG may stand there
            key, _, default = value.partition("=")
            arguments[key] = default
        else:
            flags = []
            while found := re.match(r"--(\S+)\s+", value):
                flags.append(found[1])
                value = value[found.end() :]
            stages[[*stages][-1]].instructions.append(Instruction(name, tuple(flags), value, line))
    return stages


def needed(stages: Mapping[str, Stage], target: str) -> list[Stage]:
    """Return the stages that a target is made of, each after those that it needs."""
    stage, found = stages[target], []
    sources = [stage.base, *(_source(instruction) for instruction in stage.instructions)]
    for source in sources:
        if source in stages:
            found += [each for each in needed(stages, source) if each not in found]
    return [*found, stage]


def _source(instruction: Instruction) -> str | None:
    """Return the stage, or the image, from which an instruction takes files."""
    return next((m[1] for flag in instruction.flags if (m := re.search(r"\bfrom=([^,]+)", flag))), None)


class Root:
    """A temporary folder that stands for the root of an image whose base is Python.

    Args:
        folder: The folder, which is empty.
        context: What is built.
        stages: Those that are gone through.
    """

    def __init__(self, folder: Path, context: Path, stages: list[Stage]) -> None:
        self.folder, self._context = folder, context
        ignored = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
        patterns = [line.strip() for line in ignored if line.strip() and not line.startswith("#")]
        self._files = sorted(exclude_paths(str(context), patterns))
        # The image's own folders: those that it works in, copies to, mounts and names in its environment.
        told = " ".join(
            " ".join([*instruction.flags, instruction.value])
            for stage in stages
            for instruction in stage.instructions
            if instruction.name in ("WORKDIR", "COPY", "ENV") or instruction.flags
        )
        self._own = {m[1] for m in re.finditer(r"(?<![\w./*])/([\w-]+)", told)}
        self.place = folder
        self.environment = {
            "PATH": f"{folder}/python/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": f"{folder}/root",
            "LANG": "C.UTF-8",
            # A pip.conf of the machine is no part of an image.
            "PIP_CONFIG_FILE": os.devnull,
        }
        self.environment |= {name: os.environ[name] for name in FOR_THE_REGISTRY if name in os.environ}

    def moved(self, text: str) -> str:
        """Return a text with the absolute paths of the image below the folder.

        Raises:
            Refusal: There is a path of the machine.
        """

        def move(match: re.Match) -> str:
            if match[1] in self._own:
                return f"{self.folder}/{match[1]}"
            if match[0] == "/dev" or not match[1]:
                return match[0]
            raise Refusal(f"it goes to {match[0]}, which is the machine's")

        return re.sub(r"(?<![\w./*$}])/([\w-]*)", move, text)

    def copy(self, instruction: Instruction) -> None:
        """Copy files of the context, as far as .dockerignore lets them through.

        Raises:
            Refusal: The files are those of another stage or image.
            Fault: The builder is not given them.
        """
        if (source := _source(instruction)) is not None:
            raise Refusal(f"the files are those of {source}")
        *sources, target = instruction.value.split()
        to = Path(self.moved(target)) if target.startswith("/") else self.place / target
        for source in sources:
            name = source.rstrip("/")
            found = [file for file in self._files if file == name or file.startswith(f"{name}/")]
            if not found:
                raise Fault(f"{source} is not there, or .dockerignore keeps it out")
            for file in found:
                inner = file.removeprefix(name).lstrip("/")
                if (self._context / file).is_file():
                    goal = to / inner if inner else to / name
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(self._context / file, goal)

    def run(self, instruction: Instruction) -> None:
        """Run a step by the shell, as the builder does.

        Raises:
            Refusal: It would change the machine.
            Fault: It failed.
        """
        for word in re.findall(r"(?:^|&&|\|\||;)\s*([\w./-]+)", instruction.value):
            if word in CHANGES_THE_MACHINE:
                raise Refusal(f"{word} changes the machine's {CHANGES_THE_MACHINE[word]}")
        command = self.moved(instruction.value)
        for flag in instruction.flags:
            if found := re.search(r"\btarget=([^,]+)", flag):
                Path(self.moved(found[1])).mkdir(parents=True, exist_ok=True)
        process = subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.place, env=self.environment, check=False
        )
        if process.returncode:
            raise Fault(f"exit code {process.returncode}")

    def go_on(self, instruction: Instruction) -> None:
        """Take what an instruction says of the steps that follow."""
        if instruction.name == "WORKDIR":
            self.place = Path(self.moved(instruction.value))
            self.place.mkdir(parents=True, exist_ok=True)
        elif instruction.name == "ENV":
            for name, value in re.findall(r"(\w+)=(\S+)", instruction.value):
                self.environment[name] = self.moved(value)


def steps(stages: list[Stage], root: Root) -> Iterator[tuple[Stage, Instruction, str, bool]]:
    """Yield each COPY and RUN with what came of it, and whether that is well; the first fault is the last."""
    images: dict[str, str] = {}
    for stage in stages:
        image = images[stage.name] = images.get(stage.base, stage.base)
        for instruction in stage.instructions:
            if instruction.name not in ("COPY", "RUN"):
                root.go_on(instruction)
                continue
            start = time.monotonic()
            try:
                if instruction.name == "COPY":
                    root.copy(instruction)
                elif image.startswith("python:"):
                    root.run(instruction)
                else:
                    raise Refusal(f"it needs the image {image}")
            except Refusal as reason:
                yield stage, instruction, f"not run: {reason}", True
            except Fault as reason:
                yield stage, instruction, f"FAILED: {reason}", False
                return
            else:
                yield stage, instruction, f"ran, {time.monotonic() - start:.0f} s", True


@click.command()
@click.argument("target")
@click.option(
    "--python",
    default=sys.executable,
    help="The Python that stands for the image's; by default the one that runs this.",
)
@click.option(
    "--context",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=CONTEXT,
    help="What is built; by default the repository.",
)
def main(target: str, python: str, context: Path) -> None:
    """Run the steps of TARGET, a stage of the Dockerfile, that need no Docker."""
    stages = read(context / "Dockerfile")
    if target not in stages:
        raise click.UsageError(f"There is no stage {target!r}; there is {', '.join(stages)}.")
    chain = needed(stages, target)
    version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    for stage in chain:
        if stage.base.startswith("python:"):
            click.echo(f"{stage.base} is stood for by {version} of this machine, in a fresh environment.")
    with tempfile.TemporaryDirectory(prefix="tfft-dockerfile-") as name:
        root = Root(Path(name).resolve(), context, chain)
        subprocess.run([python, "-m", "venv", root.folder / "python"], check=True)
        is_well = True
        for stage, instruction, told, well in steps(chain, root):
            is_well = is_well and well
            short = " ".join(instruction.value.split())[:90]
            click.echo(f"Dockerfile:{instruction.line} [{stage.name}] {instruction.name} {short}\n    {told}")
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
