"""Serving in containers: that the files hold together, and what they rely on, tried with the stand-in."""

import json
import re
import shutil
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.server import toys
from tests.test_deploy import DEPLOY, environment, only
from tfft.server import stand_in

ROOT = DEPLOY.parent


def instruction(name):
    """Return the value of the Dockerfile's only instruction of a name, or that of its serving stage."""
    with (ROOT / "Dockerfile").open("rb") as stream:
        parts = DockerfileParser(fileobj=stream).structure
    begin = next(i for i, part in enumerate(parts) if part["value"].endswith(" AS serve"))
    return next(part["value"] for part in parts[begin:] if part["instruction"] == name)


def config(text):
    """Return the model of a configuration, as the server reads it."""
    (model,) = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    return model


def mapped(name):
    return only(name, "ConfigMap")["data"]


@pytest.fixture(scope="module")
def deployment():
    return only("serve.yaml", "Deployment")["spec"]


@pytest.fixture(scope="module")
def container(deployment):
    (found,) = deployment["template"]["spec"]["containers"]
    return found


# The configuration of the server.


@pytest.mark.parametrize(
    ("text", "versions", "labels"),
    [
        ((DEPLOY / "serving" / "models.config").read_text(), None, {}),
        (mapped("serve.yaml")["models.config"], [1], {"stable": 1}),
        (mapped("canary.yaml")["models.config"], [1, 2], {"stable": 1, "canary": 2}),
    ],
    ids=["image", "serve.yaml", "canary.yaml"],
)
def test_the_server_can_read_its_models(text, versions, labels):
    model = config(text)
    assert (model.name, model.base_path, model.model_platform) == ("model", "/models/model", "tensorflow")
    assert dict(model.version_labels) == labels
    if versions is None:
        assert model.model_version_policy.latest.num_versions == 1
    else:
        assert model.model_version_policy.specific.versions == versions
        assert {*labels.values()} <= {*versions}  # a label for what is not loaded answers nobody


def test_a_canary_changes_the_configuration_of_the_deployment_and_nothing_else():
    plain, canary = only("serve.yaml", "ConfigMap"), only("canary.yaml", "ConfigMap")
    assert plain["metadata"] == canary["metadata"]
    assert plain["data"]["monitoring.config"] == canary["data"]["monitoring.config"]
    image = (DEPLOY / "serving" / "monitoring.config").read_text()
    assert image.endswith("\n" + plain["data"]["monitoring.config"])  # a comment stands before it


def test_the_pod_and_the_image_start_the_server_alike(container):
    command = json.loads(instruction("ENTRYPOINT"))
    flags = [*container["command"], *container["args"]]
    assert [flag for flag in flags if "parallelism" not in flag] == command
    for name in re.findall(r"=/config/(\S+?)\"", json.dumps(command)):
        assert name in mapped("serve.yaml")
        assert (DEPLOY / "serving" / name).is_file()


# The Deployment.


def test_the_pod_reads_the_export_of_the_run_that_the_job_writes(deployment, container):
    pod = deployment["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts.keys() == volumes.keys()
    claim = only("volume.yaml", "PersistentVolumeClaim")["metadata"]["name"]
    assert volumes["work"]["persistentVolumeClaim"]["claimName"] == claim
    assert volumes["config"]["configMap"]["name"] == only("serve.yaml", "ConfigMap")["metadata"]["name"]
    (job,) = only("job.yaml", "Job")["spec"]["template"]["spec"]["containers"]
    run = Path(environment(job)["RUN"]).relative_to("/work")
    assert mounts["work"]["subPath"] == str(run / "export")
    assert mounts["work"]["mountPath"] == config(mapped("serve.yaml")["models.config"]).base_path
    assert mounts["config"]["mountPath"] == "/config"
    assert mounts["work"]["readOnly"] is mounts["config"]["readOnly"] is True


def test_the_pod_can_do_little(deployment, container):
    assert deployment["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    assert deployment["template"]["spec"]["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_no_request_is_lost_while_pods_are_replaced(deployment, container):
    pod = deployment["template"]["spec"]
    (_, seconds) = container["lifecycle"]["preStop"]["exec"]["command"]
    # TensorFlow Serving has no handler for SIGTERM: as process number 1 it would wait to be killed.
    assert pod["shareProcessNamespace"] is True
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + 30  # its --rest_api_timeout_in_ms
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = only("serve.yaml", "PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] < deployment["replicas"]
    assert budget["selector"] == deployment["selector"]


def test_the_service_leads_to_the_pods_and_not_to_those_that_train(deployment, container):
    service = only("serve.yaml", "Service")["spec"]
    assert service["selector"] == deployment["selector"]["matchLabels"]
    assert service["selector"].items() <= deployment["template"]["metadata"]["labels"].items()
    training = only("job.yaml", "Service")["spec"]["selector"]
    assert not training.items() <= deployment["template"]["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == ports
    assert service.get("type", "ClusterIP") == "ClusterIP"


# The probes.


@pytest.fixture(scope="module")
def probe(container):
    """Run the line that asks whether a model is there, at another port; tell whether it says so."""
    *shell, line = container["readinessProbe"]["exec"]["command"]
    assert "/8501 " in line

    def is_ready(port):
        command = [*shell, line.replace("/8501 ", f"/{port} ")]
        return subprocess.run(command, capture_output=True, timeout=toys.PATIENCE).returncode == 0

    return is_ready


def test_docker_and_kubernetes_ask_in_one_way(container):
    health = instruction("HEALTHCHECK")
    assert json.loads(health[health.index("[") :]) == container["readinessProbe"]["exec"]["command"]
    status = container["startupProbe"]["httpGet"]
    assert f"GET {status['path']} HTTP" in health
    assert status["path"] == f"/v1/models/{config(mapped('serve.yaml')['models.config']).name}"
    # A restart helps a dead server, and not one that loads: only the port is asked.
    assert container["livenessProbe"]["tcpSocket"] == {"port": "grpc"}


def test_before_the_first_model_is_loaded_nothing_listens(tmp_path, monkeypatch, probe):
    """So that the first status that answers is that of a model: the stand-in does as TensorFlow Serving."""
    toys.publish(tmp_path, 3)
    loading, go_on, load = threading.Event(), threading.Event(), stand_in._load

    def slow(version, folder, *, most_bytes):
        loading.set()
        assert go_on.wait(toys.PATIENCE)
        return load(version, folder, most_bytes=most_bytes)

    monkeypatch.setattr(stand_in, "_load", slow)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    seen = []

    def look():
        try:
            assert loading.wait(toys.PATIENCE)
            with socket.socket() as asking:
                seen.extend([asking.connect_ex(("127.0.0.1", port)), probe(port)])
        finally:
            go_on.set()

    looking = threading.Thread(target=look)
    looking.start()
    with toys.running(tmp_path, rest_port=port) as server:
        looking.join()
        assert seen[0] != 0
        assert seen[1] is False
        assert server.get("model")[0] == 200
        assert probe(port)


def test_while_another_version_loads_it_stays_ready(tmp_path, monkeypatch, probe):
    version = toys.publish(tmp_path, 3)
    go_on, load = threading.Event(), stand_in._load

    def slow(number, folder, *, most_bytes):
        assert number == 3 or go_on.wait(toys.PATIENCE)
        return load(number, folder, most_bytes=most_bytes)

    monkeypatch.setattr(stand_in, "_load", slow)
    with toys.running(tmp_path) as server:
        toys.republish(version, 4)
        toys.wait_until(lambda: server.states() == {3: "AVAILABLE", 4: "LOADING"})
        assert server.get("model/versions/4")[0] == 200  # and yet it does not answer
        assert server.post("model/versions/4:predict", {"instances": ["a"]})[0] == 404
        assert probe(server.rest_port)
        go_on.set()
        toys.wait_until(lambda: server.states() == {3: "END", 4: "AVAILABLE"})
        assert probe(server.rest_port)


def test_a_version_that_cannot_be_loaded_takes_nothing_away(tmp_path, probe):
    version = toys.publish(tmp_path, 3)
    with toys.running(tmp_path) as server:
        toys.republish(version, 4, lambda folder: (folder / "saved_model.pb").write_bytes(b"damaged"))
        toys.wait_until(lambda: server.states() == {3: "AVAILABLE", 4: "END"})
        assert probe(server.rest_port)
        assert server.is_well()


def test_without_a_version_it_is_not_ready(tmp_path, probe):
    version = toys.publish(tmp_path, 3)
    with toys.running(tmp_path) as server:
        version.rename(tmp_path / "away")
        toys.wait_until(lambda: server.get("model")[0] == 404)
        assert not probe(server.rest_port)


@pytest.mark.parametrize(
    ("states", "is_ready"),
    [(["LOADING"], False), (["END"], False), (["UNLOADING", "END"], False), (["LOADING", "AVAILABLE"], True)],
)
def test_the_text_of_the_status_counts_and_not_its_200(states, is_ready, probe):
    """The text as TensorFlow Serving writes it, which keeps what is at END, and answers 200 for any state."""
    told = [
        {"version": str(number), "state": state, "status": {"error_code": "OK", "error_message": ""}}
        for number, state in enumerate(states)
    ]
    body = json.dumps({"model_version_status": told}, indent=1).encode()

    class Status(BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path == "/v1/models/model"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Status) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        assert probe(server.server_port) is is_ready
        answering.join()


# A canary, and back.


def version_of(server, path):
    status, answer = server.post(f"{path}:predict", {"instances": ["a"]})
    assert status == 200, answer
    return answer["predictions"][0]["version"]


def test_a_canary_is_asked_for_by_its_label_and_promoted_and_taken_back(tmp_path):
    """With the labels of deploy/canary.yaml; the stand-in is started anew where the server reads its file."""
    toys.republish(toys.publish(tmp_path, 1), 2)
    labels = dict(config(mapped("canary.yaml")["models.config"]).version_labels)
    with toys.running(tmp_path, newest=None, labels=labels) as server:
        assert version_of(server, "model/labels/stable") == 1
        assert version_of(server, "model/labels/canary") == 2
        assert version_of(server, "model") == 2  # who names neither gets the newest, so clients must name one
        # States first, then requests: both versions are there before anyone is sent to the new one.
        assert server.states() == {1: "AVAILABLE", 2: "AVAILABLE"}
    with toys.running(tmp_path, newest=None, labels=labels | {"stable": 2}) as server:
        assert version_of(server, "model/labels/stable") == 2
    with toys.running(tmp_path, newest=None, labels=labels) as server:
        assert version_of(server, "model/labels/stable") == 1


def test_without_labels_the_way_back_is_to_take_the_version_away(tmp_path):
    version = toys.publish(tmp_path, 1)
    with toys.running(tmp_path) as server:
        toys.republish(version, 2)
        toys.wait_until(lambda: server.states() == {1: "END", 2: "AVAILABLE"})
        (tmp_path / "2").rename(tmp_path / "withdrawn-2")  # kept, under a name that is no number
        toys.wait_until(lambda: server.states() == {1: "AVAILABLE"})
        assert version_of(server, "model") == 1


def test_a_bad_version_that_comes_again_under_the_next_number_is_the_other_way_back(tmp_path):
    """Numbers only grow, so that no cache and no log takes one version for another."""
    version = toys.publish(tmp_path, 1)
    toys.republish(version, 2)
    with toys.running(tmp_path) as server:
        assert version_of(server, "model") == 2
        shutil.copytree(tmp_path / "1", tmp_path / "writing-3")
        (tmp_path / "writing-3").rename(tmp_path / "3")
        toys.wait_until(lambda: server.states().get(3) == "AVAILABLE")
        assert version_of(server, "model") == 1  # what the copy holds is version 1
