"""The manifests are what Kubernetes and the training operator take, and their shell lines do what they say.

No cluster is asked: the schema is that of the generated models in the packages `kubernetes` and
`kubeflow-training`. They know keys, types and what is required, but no enumerations; those stand below.
"""

import copy
import datetime
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from kubeflow.training import models as kubeflow_models
from kubernetes import client as kubernetes_client

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
MANIFESTS = sorted(file.name for file in DEPLOY.glob("*.yaml"))
KINDS = {
    ("v1", "ConfigMap"): "V1ConfigMap",
    ("v1", "PersistentVolumeClaim"): "V1PersistentVolumeClaim",
    ("v1", "Service"): "V1Service",
    ("apps/v1", "Deployment"): "V1Deployment",
    ("batch/v1", "Job"): "V1Job",
    ("kubeflow.org/v1", "TFJob"): "KubeflowOrgV1TFJob",
    ("policy/v1", "PodDisruptionBudget"): "V1PodDisruptionBudget",
}
ENUMERATIONS = {
    ("KubeflowOrgV1ReplicaSpec", "restartPolicy"): {"Always", "OnFailure", "Never", "ExitCode"},
    ("KubeflowOrgV1RunPolicy", "cleanPodPolicy"): {"All", "Running", "None"},
    ("KubeflowOrgV1TFJobSpec", "successPolicy"): {"", "AllWorkers"},
    ("V1Capabilities", "drop"): {"ALL"},
    ("V1Container", "imagePullPolicy"): {"Always", "IfNotPresent", "Never"},
    ("V1ContainerPort", "protocol"): {"TCP", "UDP", "SCTP"},
    ("V1DeploymentStrategy", "type"): {"Recreate", "RollingUpdate"},
    ("V1EmptyDirVolumeSource", "medium"): {"", "Memory"},
    ("V1HTTPGetAction", "scheme"): {"HTTP", "HTTPS"},
    ("V1JobSpec", "completionMode"): {"Indexed", "NonIndexed"},
    ("V1JobSpec", "podReplacementPolicy"): {"TerminatingOrFailed", "Failed"},
    ("V1PersistentVolumeClaimSpec", "accessModes"): {
        "ReadWriteOnce",
        "ReadOnlyMany",
        "ReadWriteMany",
        "ReadWriteOncePod",
    },
    ("V1PersistentVolumeClaimSpec", "volumeMode"): {"Block", "Filesystem"},
    ("V1PodFailurePolicyOnExitCodesRequirement", "operator"): {"In", "NotIn"},
    ("V1PodFailurePolicyOnPodConditionsPattern", "status"): {"True", "False", "Unknown"},
    ("V1PodFailurePolicyOnPodConditionsPattern", "type"): {"DisruptionTarget"},
    ("V1PodFailurePolicyRule", "action"): {"FailJob", "FailIndex", "Ignore", "Count"},
    ("V1PodSecurityContext", "fsGroupChangePolicy"): {"OnRootMismatch", "Always"},
    ("V1PodSpec", "dnsPolicy"): {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"},
    ("V1PodSpec", "restartPolicy"): {"Always", "OnFailure", "Never"},
    ("V1SeccompProfile", "type"): {"RuntimeDefault", "Localhost", "Unconfined"},
    ("V1ServicePort", "protocol"): {"TCP", "UDP", "SCTP"},
    ("V1ServiceSpec", "type"): {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"},
}
REPLICA_TYPES = {"Chief", "Master", "Worker", "PS", "Evaluator"}
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?([EPTGM]i?|Ki|k|m|e[0-9]+)?")
SCALARS = {"str": str, "int": int, "bool": bool, "datetime": datetime.datetime}
CONFIGURATION = kubernetes_client.Configuration()


# The schema.


def faults(value, kind, place="", owner=("", "")):
    """Yield what a value of a manifest has against a type of the generated models, place by place."""
    if kind.startswith("list["):
        if not isinstance(value, list):
            yield f"{place}: a list is expected, not {value!r}"
            return
        for index, item in enumerate(value):
            yield from faults(item, kind[5:-1], f"{place}[{index}]", owner)
    elif kind.startswith("dict("):
        if not isinstance(value, dict):
            yield f"{place}: a mapping is expected, not {value!r}"
            return
        for key, item in value.items():
            if not isinstance(key, str):
                yield f"{place}: the key {key!r} is no text"
            if owner[1] == "tfReplicaSpecs" and key not in REPLICA_TYPES:
                yield f"{place}.{key}: none of {sorted(REPLICA_TYPES)}"
            yield from faults(item, kind[5:-1].split(", ", 1)[1], f"{place}.{key}", owner)
            if owner[1] in ("limits", "requests") and not QUANTITY.fullmatch(str(item)):
                yield f"{place}.{key}: {item!r} is no quantity"
    elif kind in SCALARS:
        # A bool is an int to Python, and neither is the other to Kubernetes.
        if type(value) is not SCALARS[kind]:
            yield f"{place}: {kind} is expected, not {value!r}"
        elif value not in ENUMERATIONS.get(owner, {value}):
            yield f"{place}: {value!r} is none of {sorted(ENUMERATIONS[owner])}"
    elif kind == "object":
        # IntOrString, and nothing else in what these manifests use.
        if type(value) not in (int, str):
            yield f"{place}: a number or a text is expected, not {value!r}"
    else:
        yield from _faults_of_model(value, _model(kind), place)


def _faults_of_model(value, model, place):
    if not isinstance(value, dict):
        yield f"{place}: a mapping is expected, not {value!r}"
        return
    attributes = {key: attribute for attribute, key in model.attribute_map.items()}
    for key, item in value.items():
        if key in attributes:
            kind = model.openapi_types[attributes[key]]
            yield from faults(item, kind, f"{place}.{key}", (model.__name__, key))
        else:
            yield f"{place}.{key}: {model.__name__} has no such key"
    for key in attributes.keys() - value.keys():
        if _is_required(model, attributes[key]):
            yield f"{place}.{key}: is missing"


def _model(name):
    """Return a generated model: the operator's package has its own, and names those of Kubernetes."""
    return getattr(kubeflow_models, name, None) or getattr(kubernetes_client, name)


def _is_required(model, attribute):
    """Return whether a model takes no None for an attribute: all that is left of the schema's `required`."""
    empty = model.__new__(model)
    empty.local_vars_configuration = CONFIGURATION
    try:
        setattr(empty, attribute, None)
    except ValueError:
        return True
    return False


def document_faults(document):
    kind = KINDS.get((document.get("apiVersion"), document.get("kind")))
    if kind is None:
        return [f"no such kind: {document.get('apiVersion')} {document.get('kind')}"]
    found = list(faults(document, kind))
    # No model requires it, and nothing can be applied without a name.
    if not found and not document.get("metadata", {}).get("name"):
        found = [".metadata.name: is missing"]
    return found


def read(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def only(name, kind):
    (document,) = [document for document in read(name) if document["kind"] == kind]
    return document


def templates(document):
    if document["kind"] == "TFJob":
        return [replica["template"] for replica in document["spec"]["tfReplicaSpecs"].values()]
    return [document["spec"]["template"]] if document["kind"] in ("Deployment", "Job") else []


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_has_no_fault(name):
    assert MANIFESTS == ["canary.yaml", "job.yaml", "serve.yaml", "single.yaml", "tfjob.yaml", "volume.yaml"]
    assert [document_faults(document) for document in read(name)] == [[] for _ in read(name)]


POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
RULES = ("spec", "podFailurePolicy", "rules")
CHIEF = ("spec", "tfReplicaSpecs", "Chief")
CHANGES = [
    # A key that is misspelt, at every depth.
    ("job.yaml", "Job", ("spec", "completionmode"), "Indexed", "no such key"),
    ("job.yaml", "Job", (*POD, "terminationGracePeriod"), 300, "no such key"),
    ("job.yaml", "Job", (*CONTAINER, "volumeMount"), [], "no such key"),
    ("job.yaml", "Service", ("spec", "ports", 0, "containerPort"), 2222, "no such key"),
    ("tfjob.yaml", "TFJob", ("spec", "cleanPodPolicy"), "Running", "no such key"),
    ("serve.yaml", "Deployment", (*CONTAINER, "readinessprobe"), {}, "no such key"),
    ("serve.yaml", "Deployment", (*CONTAINER, "startupProbe", "httpGet", "url"), "/", "no such key"),
    ("serve.yaml", "PodDisruptionBudget", ("spec", "minavailable"), 1, "no such key"),
    ("tfjob.yaml", "TFJob", (*CHIEF, "template", "spec", "nodeselector"), {}, "no such key"),
    ("volume.yaml", "PersistentVolumeClaim", ("spec", "accessMode"), "ReadWriteMany", "no such key"),
    # A type: a number for a text, a text for a number, a bool for a number, a mapping for a list.
    ("job.yaml", "Job", (*CONTAINER, "env", 0, "value"), 4, "str is expected"),
    ("job.yaml", "Job", (*CONTAINER, "resources", "limits", "nvidia.com/gpu"), 1, "str is expected"),
    ("job.yaml", "Job", (*RULES, 0, "onPodConditions", 0, "status"), True, "str is expected"),
    ("job.yaml", "Job", (*RULES, 1, "onExitCodes", "values"), ["143"], "int is expected"),
    ("job.yaml", "Job", ("spec", "completions"), "4", "int is expected"),
    ("job.yaml", "Job", ("spec", "backoffLimit"), True, "int is expected"),
    ("job.yaml", "Job", (*CONTAINER, "command"), "tfft train", "a list is expected"),
    ("job.yaml", "Job", (*POD, "volumes"), {"name": "work"}, "a list is expected"),
    ("job.yaml", "Job", ("metadata",), "tfft", "a mapping is expected"),
    ("job.yaml", "Service", ("spec", "ports", 0, "targetPort"), 2.5, "a number or a text is expected"),
    ("tfjob.yaml", "TFJob", ("spec", "runPolicy", "backoffLimit"), 1.5, "int is expected"),
    ("tfjob.yaml", "TFJob", (*CHIEF, "replicas"), None, "int is expected"),
    ("serve.yaml", "Deployment", (*CONTAINER, "readinessProbe", "exec", "command"), "bash", "a list is"),
    ("serve.yaml", "ConfigMap", ("data", "models.config"), {}, "str is expected"),
    # A value that no one knows.
    ("job.yaml", "Job", ("spec", "completionMode"), "indexed", "is none of"),
    ("job.yaml", "Job", (*POD, "restartPolicy"), "ExitCode", "is none of"),
    ("job.yaml", "Job", (*RULES, 0, "action"), "Retry", "is none of"),
    ("job.yaml", "Job", (*CONTAINER, "resources", "limits", "memory"), "64 GB", "is no quantity"),
    ("tfjob.yaml", "TFJob", (*CHIEF, "restartPolicy"), "Retry", "is none of"),
    ("tfjob.yaml", "TFJob", ("spec", "runPolicy", "cleanPodPolicy"), "Finished", "is none of"),
    ("tfjob.yaml", "TFJob", ("spec", "tfReplicaSpecs", "worker"), {}, "none of"),
    ("serve.yaml", "Deployment", ("spec", "strategy", "type"), "Rolling", "is none of"),
    ("volume.yaml", "PersistentVolumeClaim", ("spec", "accessModes", 0), "ReadWriteAll", "is none of"),
    # What is required.
    ("job.yaml", "Job", ("spec", "template"), ..., "is missing"),
    ("job.yaml", "Job", (*POD, "containers"), ..., "is missing"),
    ("job.yaml", "Job", (*CONTAINER, "name"), ..., "is missing"),
    ("job.yaml", "Job", (*RULES, 2, "onExitCodes", "operator"), ..., "is missing"),
    ("serve.yaml", "Deployment", ("spec", "selector"), ..., "is missing"),
    ("serve.yaml", "Deployment", (*CONTAINER, "startupProbe", "httpGet", "port"), ..., "is missing"),
    ("job.yaml", "Service", ("spec", "ports", 0, "port"), ..., "is missing"),
    ("job.yaml", "Service", ("metadata", "name"), ..., "is missing"),
    ("tfjob.yaml", "TFJob", ("spec", "tfReplicaSpecs"), ..., "is missing"),
    ("tfjob.yaml", "TFJob", ("spec", "runPolicy"), ..., "is missing"),
    ("tfjob.yaml", "TFJob", ("apiVersion",), "kubeflow.org/v2", "no such kind"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "place", "value", "fault"), CHANGES)
def test_a_wrong_manifest_has_one_fault(name, kind, place, value, fault):
    document = copy.deepcopy(only(name, kind))
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value

    found = document_faults(document)

    # The pod of the chief is the workers' too, by a YAML anchor.
    assert found
    assert all(fault in line for line in found)
    assert len({line.split(".")[-1] for line in found}) == 1


# What no schema says: that the parts fit together.


@pytest.mark.parametrize("name", ["job.yaml", "single.yaml", "tfjob.yaml"])
def test_a_pod_can_save_before_it_is_killed_and_shares_the_volume(name):
    claim = only("volume.yaml", "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for template in [template for document in read(name) for template in templates(document)]:
        pod = template["spec"]
        (container,) = pod["containers"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}

        assert pod["terminationGracePeriodSeconds"] >= 120
        assert mounts.keys() == volumes.keys()
        assert volumes["work"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
        for variable in ("CONFIG", "RUN", "TFFT_CACHE", "HF_HOME", "KAGGLEHUB_CACHE"):
            assert environment(container)[variable].startswith(mounts["work"] + "/")


def test_the_operator_finds_its_container_and_its_port_and_retries_by_exit_code():
    spec = only("tfjob.yaml", "TFJob")["spec"]

    assert spec["runPolicy"]["backoffLimit"] > 0  # 0 ends the job at its first restart
    assert spec["runPolicy"]["cleanPodPolicy"] == "Running"
    assert spec["tfReplicaSpecs"].keys() == {"Chief", "Worker"}
    assert spec["tfReplicaSpecs"]["Chief"]["replicas"] == 1
    for replica in spec["tfReplicaSpecs"].values():
        assert replica["restartPolicy"] == "ExitCode"
        assert "restartPolicy" not in replica["template"]["spec"]  # the operator would overwrite it
        (container,) = replica["template"]["spec"]["containers"]
        assert container["name"] == "tensorflow"
        assert [port["name"] for port in container["ports"]] == ["tfjob-port"]
        assert "TF_CONFIG" not in environment(container)


@pytest.mark.parametrize("name", ["job.yaml", "single.yaml"])
def test_a_job_tells_what_to_try_again_from_what_is_final(name):
    spec = only(name, "Job")["spec"]
    rules = spec["podFailurePolicy"]["rules"]

    def action(code, disrupted=False):
        """Return what the Job does about a pod: that of the first rule that fits."""
        for rule in rules:
            codes = rule.get("onExitCodes")
            if codes and codes["operator"] == "In" and code in codes["values"]:
                return rule["action"]
            conditions = [each["type"] for each in rule.get("onPodConditions", ())]
            if disrupted and "DisruptionTarget" in conditions:
                return rule["action"]
        return "Count"

    assert [action(code) for code in (1, 2, 127)] == ["FailJob"] * 3
    assert action(143) == "Ignore"
    assert action(137) == "Count"
    assert [action(code, disrupted=True) for code in (1, 137, 143)] == ["Ignore"] * 3
    for rule in rules:
        assert ("onExitCodes" in rule) != ("onPodConditions" in rule)
        if "onExitCodes" in rule:
            values = rule["onExitCodes"]["values"]
            assert values == sorted(set(values))
            assert 0 not in values
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # podFailurePolicy takes nothing else


def test_the_service_names_the_workers_of_the_job():
    job, service = only("job.yaml", "Job"), only("job.yaml", "Service")
    spec, pod = job["spec"], job["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    single = only("single.yaml", "Job")["spec"]["template"]

    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == int(environment(container)["WORKERS"])
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert not service["spec"]["selector"].items() <= single["metadata"]["labels"].items()
    assert pod["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"]


# The shell lines, with stand-ins for what they call.


def environment(container):
    return {variable["name"]: variable["value"] for variable in container["env"]}


def expanded(text, variables):
    """Return a text of `command` as Kubernetes hands it over: $(NAME) is the variable's value, $$ is $."""

    def value(match):
        return "$" if match[0] == "$$" else variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", value, text)


@pytest.fixture
def stand_in(tmp_path):
    """Return a function that puts an executable of a name and a body before all others."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(name, body):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)

    put.path = f"{folder}:{os.environ['PATH']}"
    return put


TFFT = """
printf '%s\\n' "$$" "$@" >"$RECORD"
printf '%s' "${TF_CONFIG-}" >"$RECORD.cluster"
exit "$CODE"
"""


def run_container(container, tmp_path, stand_in, **changes):
    """Run a container's command with a stand-in for tfft; return exit code, arguments and TF_CONFIG."""
    stand_in("tfft", TFFT)
    places = {"RUN": str(tmp_path / "a run"), "CONFIG": "/work/my config.yaml"}
    variables = environment(container) | places | changes
    command = [expanded(word, variables) for word in container["command"]]
    record = tmp_path / "record"
    variables = {"CODE": "0", "RECORD": str(record)} | variables | {"PATH": stand_in.path}
    process = subprocess.Popen(command, env=variables, cwd=tmp_path)
    code = process.wait()
    pid, *arguments = record.read_text().splitlines()
    # tfft has taken the shell's place, so that a signal to the container's first process is a signal to tfft.
    assert int(pid) == process.pid
    return code, arguments, (tmp_path / "record.cluster").read_text()


def containers(name):
    return [template["spec"]["containers"][0] for document in read(name) for template in templates(document)]


@pytest.mark.parametrize("name", ["job.yaml", "single.yaml", "tfjob.yaml"])
@pytest.mark.parametrize("code", [0, 2, 143])
@pytest.mark.parametrize("exists", [False, True])
def test_a_pod_starts_a_run_or_resumes_it_and_passes_the_exit_code_on(name, code, exists, tmp_path, stand_in):
    run = tmp_path / "a run"
    if exists:
        run.mkdir()
    for container in containers(name):
        result, arguments, _ = run_container(
            container, tmp_path, stand_in, CODE=str(code), JOB_COMPLETION_INDEX="0"
        )

        assert result == code
        if exists:
            assert arguments == ["train", "--resume", str(run)]
        else:
            assert arguments == ["train", "/work/my config.yaml", "--set", f"run.directory={run}"]


@pytest.mark.parametrize("workers", [1, 4, 12])
def test_a_worker_of_the_job_knows_the_cluster_and_its_place(workers, tmp_path, stand_in):
    (container,) = containers("job.yaml")
    service = only("job.yaml", "Service")["metadata"]["name"]
    job = only("job.yaml", "Job")["metadata"]["name"]
    port = container["ports"][0]["containerPort"]

    for index in {0, workers - 1}:
        _, _, cluster = run_container(
            container, tmp_path, stand_in, WORKERS=str(workers), JOB_COMPLETION_INDEX=str(index)
        )

        # JOB-INDEX.SERVICE is the name that an Indexed Job and a headless Service give to a pod.
        hosts = [f"{job}-{worker}.{service}:{port}" for worker in range(workers)]
        expected = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        assert json.loads(cluster) == expected


def test_the_operators_cluster_reaches_tfft_as_it_is(tmp_path, stand_in):
    cluster = '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}'
    for container in containers("tfjob.yaml"):
        assert run_container(container, tmp_path, stand_in, TF_CONFIG=cluster)[2] == cluster


def test_a_single_pod_has_no_cluster(tmp_path, stand_in):
    (container,) = containers("single.yaml")
    assert run_container(container, tmp_path, stand_in)[2] == ""


def test_sigterm_reaches_tfft(tmp_path, stand_in):
    stand_in("tfft", "trap 'exit 143' TERM\ntouch ready\nwhile :; do sleep 0.01; done")
    (container,) = containers("single.yaml")
    process = subprocess.Popen(
        container["command"],
        env={"PATH": stand_in.path, "RUN": str(tmp_path / "run"), "CONFIG": "c.yaml"},
        cwd=tmp_path,
    )
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)

    assert process.wait() == 143


# Slurm.


def test_the_slurm_script_is_bash_and_asks_for_a_warning_and_for_another_turn():
    script = DEPLOY / "slurm.sh"
    options = re.findall(r"^#SBATCH (\S+)$", script.read_text(), re.MULTILINE)

    subprocess.run(["bash", "-n", script], check=True)
    assert "--requeue" in options
    assert "--signal=TERM@300" in options  # without B: the tasks get it, and not the script
    # Slurm reads no options after the first command.
    assert "#SBATCH" not in script.read_text().split("\nset -u\n")[1]


def run_slurm(tmp_path, stand_in, arguments, code=0, state="RUNNING"):
    """Run the script with stand-ins for Slurm; return its exit code and what it called."""
    record = tmp_path / "record"
    record.write_text("")
    for name, answer in [("srun", f"exit {code}"), ("squeue", f"echo {state}"), ("scontrol", "")]:
        words = f'for word in {name} "$@"; do printf "%s|" "$word"; done; echo'
        stand_in(name, f'({words}) >>"$RECORD"\n{answer}')
    variables = {"PATH": stand_in.path, "RECORD": str(record), "SLURM_JOB_ID": "7"}
    process = subprocess.run(
        [DEPLOY / "slurm.sh", *arguments], env=variables, cwd=tmp_path, capture_output=True, text=True
    )
    return process.returncode, [line.rstrip("|").split("|") for line in record.read_text().splitlines()]


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("code", [0, 2, 134])
def test_slurm_starts_a_run_or_resumes_it_and_passes_the_exit_code_on(code, exists, tmp_path, stand_in):
    run = tmp_path / "a run"
    if exists:
        run.mkdir()
    arguments = ["--resume", str(run)] if exists else ["my config.yaml", "--set", f"run.directory={run}"]

    result, calls = run_slurm(tmp_path, stand_in, ["my config.yaml", str(run)], code)

    assert result == code
    assert calls == [["srun", "--kill-on-bad-exit=0", "--wait=0", "tfft", "train", *arguments]]


@pytest.mark.parametrize(("state", "again"), [("RUNNING", True), ("COMPLETING", False), ("", False)])
def test_slurm_queues_again_what_saved_and_stopped_unless_it_was_cancelled(state, again, tmp_path, stand_in):
    result, calls = run_slurm(tmp_path, stand_in, ["c.yaml", "run"], 143, state)

    assert result == 143
    assert (["scontrol", "requeue", "7"] in calls) is again


def test_slurm_says_what_it_lacks(tmp_path, stand_in):
    assert run_slurm(tmp_path, stand_in, ["c.yaml"]) == (2, [])
