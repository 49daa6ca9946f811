"""The Dockerfile, compose.yaml and the manifests: that they hold together, and name the same versions.

Nothing is built: deploy/try_dockerfile.py runs the steps, by hand.
"""

import configparser
import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose
from docker.utils import exclude_paths
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tfft.server import tensorflow_serving

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"


# The versions.


def texts():
    """Return the files that name versions, by their paths."""
    paths = [ROOT / "Dockerfile", ROOT / "compose.yaml", ROOT / "setup.cfg", ROOT / "README.md"]
    paths += [*DEPLOY.rglob("*.yaml"), *(ROOT / "docs").glob("*.md")]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def disagreements(texts):
    """Return what the files say of versions that does not fit together."""
    found = []
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", texts["Dockerfile"], re.MULTILINE))
    serving = arguments["TENSORFLOW_SERVING"]
    major, minor = serving.split(".")[:2]
    if f"tensorflow/serving:{serving}" != tensorflow_serving.image():
        found.append(f"Dockerfile: {serving}, and `tfft serve` starts {tensorflow_serving.image()}")
    for path, text in texts.items():
        for tag in re.findall(r"tensorflow/serving:([\w.-]+)", text):
            if tag != serving:
                found.append(f"{path}: tensorflow/serving:{tag}, and the Dockerfile has {serving}")
    setup = configparser.RawConfigParser()
    setup.read_string(texts["setup.cfg"])
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    for requirement in [Requirement(line) for lines in lists for line in lines.splitlines() if line.strip()]:
        # Those that are built for one minor of TensorFlow; each must allow it, and no other.
        if requirement.name not in ("tensorflow", "tensorflow-serving-api", "tensorflow-text"):
            continue
        others = [f"{major}.{int(minor) - 1}.99", f"{major}.{int(minor) + 1}.0"]
        if f"{major}.{minor}.1" not in requirement.specifier or any(
            other in requirement.specifier for other in others
        ):
            found.append(f"setup.cfg: {requirement}, and the Dockerfile has TensorFlow Serving {serving}")
    python = arguments["PYTHON"]
    if python not in SpecifierSet(setup["options"]["python_requires"]):
        found.append(f"Dockerfile: Python {python}, and setup.cfg {setup['options']['python_requires']}")
    return found


def test_all_files_name_the_same_versions():
    assert disagreements(texts()) == []
    assert tensorflow_serving.image().startswith(
        "tensorflow/serving:" + version("tensorflow").rpartition(".")[0] + "."
    )
    assert tensorflow_serving.image() in (DEPLOY / "serve.yaml").read_text()


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("Dockerfile", "SERVING=2.21.0", "SERVING=2.20.0", "Dockerfile: 2.20.0, and `tfft serve` starts"),
        ("Dockerfile", "PYTHON=3.12", "PYTHON=3.14", "Dockerfile: Python 3.14, and setup.cfg"),
        (
            "deploy/serve.yaml",
            "serving:2.21.0",
            "serving:2.20.0",
            "deploy/serve.yaml: tensorflow/serving:2.2",
        ),
        ("deploy/serve.yaml", "serving:2.21.0", "serving:latest", "deploy/serve.yaml: tensorflow/serving:la"),
        ("setup.cfg", "tensorflow >=2.21.0,<2.22", "tensorflow >=2.22.0,<2.23", "setup.cfg: tensorflow<2.23"),
        (
            "setup.cfg",
            "tensorflow-text >=2.21.1,<2.22",
            "tensorflow-text >=2.21.1",
            "setup.cfg: tensorflow-t",
        ),
        ("setup.cfg", "cuda] >=2.21.0,<2.22", "cuda] >=2.20.0,<2.22", "setup.cfg: tensorflow[and-cuda]<"),
        ("setup.cfg", "api >=2.21.0,<2.22", "api >=2.20,<2.21", "setup.cfg: tensorflow-serving-api<"),
    ],
)
def test_a_version_that_moves_alone_is_found(path, old, new, message):
    files = texts()
    assert old in files[path]
    files[path] = files[path].replace(old, new)
    found = disagreements(files)
    assert found
    assert any(line.startswith(message) for line in found)


def test_a_server_that_tfft_serve_starts_alone_is_found(monkeypatch):
    monkeypatch.setattr(tensorflow_serving, "image", lambda: "tensorflow/serving:2.22.0")
    (found,) = disagreements(texts())
    assert found == "Dockerfile: 2.21.0, and `tfft serve` starts tensorflow/serving:2.22.0"


# The Dockerfile.


@pytest.fixture(scope="module")
def stages():
    """Return the instructions of each stage of the Dockerfile, as pairs of name and value, and its base."""
    found = {}
    with (ROOT / "Dockerfile").open("rb") as stream:
        for part in DockerfileParser(fileobj=stream).structure:
            if part["instruction"] == "FROM":
                base, _, name = part["value"].partition(" AS ")
                found[name] = (base, [])
            elif found and part["instruction"] != "COMMENT":
                found[[*found][-1]][1].append((part["instruction"], part["value"]))
    return found


def values(stages, stage, name):
    return [value for instruction, value in stages[stage][1] if instruction == name]


def ancestors(stages, stage):
    base = stages[stage][0]
    return [stage, *ancestors(stages, base)] if base in stages else [stage]


@pytest.mark.parametrize("target", ["train-cpu", "train-gpu", "serve"])
def test_an_image_runs_as_the_user_of_the_manifests(stages, target):
    assert values(stages, target, "USER") == ["1000:1000"]
    for path in ("job.yaml", "serve.yaml"):
        assert "runAsUser: 1000" in (DEPLOY / path).read_text()


@pytest.mark.parametrize("target", ["train-cpu", "train-gpu"])
def test_an_edit_of_the_code_does_not_install_tensorflow_again(stages, target):
    """What the layer of the dependencies copies is setup.cfg; the code comes in a stage above it."""
    below = ancestors(stages, stages[target][0])
    assert f"dependencies-{target[-3:]}" in below
    assert [copied for stage in below for copied in values(stages, stage, "COPY")] == ["setup.cfg ./"]
    (installed,) = values(stages, target, "RUN")
    assert "from=wheel" in installed
    assert "--no-deps" in installed
    for stage in below:
        for step in values(stages, stage, "RUN"):
            assert ("pip install" in step) == ("type=cache,target=/root/.cache/pip" in step)


def test_the_gpu_image_is_the_cpu_image_and_what_the_extra_names(stages):
    assert stages["dependencies-gpu"][0] == "dependencies-cpu"
    assert "['options.extras_require']['gpu']" in values(stages, "dependencies-gpu", "RUN")[0]
    assert stages["train-gpu"][1] == stages["train-cpu"][1]


def test_nothing_reaches_the_builder_but_what_is_copied(stages):
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = exclude_paths(str(ROOT), [line for line in lines if line and not line.startswith("#")])
    copied = [
        source.rstrip("/")
        for stage in stages
        for value in values(stages, stage, "COPY")
        if not value.startswith("--from")
        for source in value.split()[:-1]
    ]
    assert {source for source in copied if not (ROOT / source).exists()} == set()
    # Docker sends these two always.
    for path in let_through - {"Dockerfile", ".dockerignore", "deploy"}:
        assert any(path == source or path.startswith(f"{source}/") for source in copied), path
        assert "__pycache__" not in path
    assert {"setup.cfg", "tfft/cli/serve.py", "deploy/serving/models.config"} <= let_through


def test_no_secret_stands_in_it(stages):
    named = [value for stage in stages for name in ("ARG", "ENV") for value in values(stages, stage, name)]
    assert not re.search(r"(?i)passw|token|secret|key", " ".join(named))
    assert not any(
        "environment" in service for service in compose((ROOT / "compose.yaml").read_text()).values()
    )


def test_the_server_gets_the_files_that_it_is_told_of(stages):
    flags = json.loads(values(stages, "serve", "ENTRYPOINT")[0])
    assert values(stages, "serve", "COPY") == ["deploy/serving/ /config/", "--from=export / /models/model/"]
    files = [flag.partition("=/config/")[2] for flag in flags if "=/config/" in flag]
    assert sorted(files) == sorted(path.name for path in (DEPLOY / "serving").iterdir())
    assert 'base_path: "/models/model"' in (DEPLOY / "serving" / "models.config").read_text()
    assert values(stages, "serve", "EXPOSE") == ["8500 8501"]
    assert {"--port=8500", "--rest_api_port=8501"} <= {*flags}


# compose.yaml.


def compose(text):
    """Return the services of a text as Compose sees them, each variable by its default."""
    known = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    PyCompose.from_yaml(yaml.safe_dump(known))
    return known["services"]


def test_the_services_are_those_of_the_targets(stages):
    services = compose((ROOT / "compose.yaml").read_text())
    assert services.keys() == {"train-cpu", "train-gpu", "serve"}
    for name, service in services.items():
        assert service["build"] == {"context": ".", "target": name}
        assert name in stages
        assert service["image"] == f"tfft:{name}"
        assert service["init"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_a_service_serves_this_machine_only_and_cannot_change_the_export():
    service = compose((ROOT / "compose.yaml").read_text())["serve"]
    assert service["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    (mount,) = service["volumes"]
    assert (mount["target"], mount["read_only"]) == ("/models/model", True)
    assert mount["bind"] == {"create_host_path": False}
    assert service["read_only"] is True
    assert "profiles" not in service  # `docker compose up` starts it, and nothing else


def test_training_sees_the_gpus_and_can_save_before_it_is_killed(stages):
    services = compose((ROOT / "compose.yaml").read_text())
    (device,) = services["train-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", "all", ["gpu"])
    for name in ("train-cpu", "train-gpu"):
        assert services[name]["profiles"] == ["train"]
        assert services[name]["stop_grace_period"] == "5m"
        targets = [mount["target"] for mount in services[name]["volumes"]]
        assert targets == ["/work", "/cache"]
        assert values(stages, name, "WORKDIR") == ["/work"]
    (environment,) = values(stages, "base", "ENV")
    caches = dict(re.findall(r"(\w+)=(/\S+)", environment))
    assert {"TFFT_CACHE", "HF_HOME", "KAGGLEHUB_CACHE"} <= caches.keys()
    assert all(path.startswith("/cache/") for path in caches.values())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    read_only: true\n    tmpfs", "    readonly: true\n    tmpfs"),
        ("target: serve", "targets: serve"),
        ("127.0.0.1:8501:8501", "127.0.0.1:8501:rest"),
        ("restart: unless-stopped", "restart: sometimes"),
        ("stop_grace_period: 5m", "stop_grace_period: 5 minutes"),
        ("type: bind\n", "type: binding\n"),
        ("count: all", "count: 3x"),
        ("create_host_path", "create_hostpath"),
    ],
)
def test_a_wrong_service_is_found(old, new):
    text = (ROOT / "compose.yaml").read_text()
    assert old in text
    with pytest.raises(ValueError, match="services"):
        compose(text.replace(old, new))


# The page.


def test_the_page_names_files_targets_and_services_that_there_are(stages):
    page = (ROOT / "docs" / "deployment.md").read_text()
    files = {*re.findall(r"\b(?:deploy|tests|docs)/[\w./-]*\w", page)}
    assert {"deploy/serve.yaml", "deploy/clients/query.js"} <= files
    assert {file for file in files if not (ROOT / file).exists()} == set()
    assert {*re.findall(r"--target (\S+)", page)} <= stages.keys()
    services = compose((ROOT / "compose.yaml").read_text())
    assert {*re.findall(r"compose run --rm (\S+)", page)} <= services.keys()
    assert {*re.findall(r"\btfft:([\w-]+)", page)} <= services.keys()
    variables = {*re.findall(r"\b(TFFT_\w+)=", page)}
    assert variables <= {*re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text())}
