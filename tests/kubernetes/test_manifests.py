"""The manifests for Kubernetes: what its API and KubeRay would refuse, and what only shows when it runs."""

import copy
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from streamer.cli.main import cli
from tests.kubernetes.crd import schema

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS = [
    found for name in KUSTOMIZATION["resources"] for found in yaml.safe_load_all((FOLDER / name).read_text())
]
CLUSTER = tomllib.loads((FOLDER / "cluster.toml").read_text())
KUBERNETES = ("1.30", "1.37")  # the oldest and the newest that is looked at


def one(kind: str, name: str) -> Any:
    """Give the object of a kind that has a name."""
    return next(each for each in OBJECTS if each["kind"] == kind and each["metadata"]["name"] == name)


def ray_groups() -> list[Any]:
    """Give the head's part of the RayCluster, then the workers'."""
    spec = one("RayCluster", "genrecast")["spec"]
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def templates() -> Iterator[Any]:
    """Give the template of every pod, also of those that KubeRay makes."""
    yield from (group["template"] for group in ray_groups())
    yield from (each["spec"]["template"] for each in OBJECTS if "template" in each.get("spec", {}))


def containers() -> Iterator[Any]:
    """Give every container."""
    for template in templates():
        yield from template["spec"]["containers"]


def check(manifest: Any, version: str) -> None:
    """Raise where a manifest isn't what the schema of its kind says, to the last field."""
    if manifest["apiVersion"].startswith("ray.io/"):
        jsonschema.Draft202012Validator(schema()).validate(manifest)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("manifest", OBJECTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_each_manifest_is_what_its_schema_says(manifest: Any, version: str):
    check(manifest, version)


@pytest.mark.parametrize("manifest", OBJECTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_an_unknown_field_is_found_in_each(manifest: Any):
    broken = copy.deepcopy(manifest)
    broken.setdefault("spec", {})["replica"] = 1

    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check(broken, KUBERNETES[-1])


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("gcsFaultToleranceOptions", "redisAdress"), "redis:6379"),
        (("authOptions", "mode"), "tokens"),
        (("headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (("headGroupSpec", "template", "spec", "container"), []),
        (("workerGroupSpecs", 0, "replicas"), "two"),
        (("workerGroupSpecs", 0, "template", "spec", "containers", 0, "readinessProb"), {}),
    ],
)
def test_a_slip_deep_in_the_ray_cluster_is_found(at: tuple[str | int, ...], value: Any):
    broken = copy.deepcopy(one("RayCluster", "genrecast"))
    inner = broken["spec"]
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value

    with pytest.raises(jsonschema.ValidationError):
        check(broken, KUBERNETES[-1])


def test_every_file_in_the_folder_is_applied():
    there = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml", "README.md"}
    (generated,) = KUSTOMIZATION["configMapGenerator"]

    assert there == {*KUSTOMIZATION["resources"], *generated["files"]}
    mounted = [each.get("configMap") for each in one("Job", "up")["spec"]["template"]["spec"]["volumes"]]
    assert {"name": generated["name"]} in mounted


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kustomize_puts_the_image_everywhere():
    made = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    objects = list(yaml.safe_load_all(made))
    assert len(objects) == len(OBJECTS) + 1  # and the ConfigMap
    images = re.findall(r"image: (\S+)", made)
    (ours,) = KUSTOMIZATION["images"]
    assert images.count(f"{ours['newName']}:{ours['newTag']}") == len(images) - 1  # all but Redis


def test_pods_are_let_in_where_the_restricted_standard_holds():
    labels = one("Namespace", "genrecast")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    for template in templates():
        pod = template["spec"]["securityContext"]
        assert pod["runAsNonRoot"]
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert template["spec"]["automountServiceAccountToken"] is False
    for container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_ray_start_takes_what_kuberay_would_hand_it():
    start = pytest.importorskip("ray.scripts.scripts").start

    for group in ray_groups():
        given = group["rayStartParams"].items()
        line = shlex.split(
            " ".join(f"--{option}={value}" for option, value in given)
        )  # bash -c, as KubeRay does
        start.make_context("start", line)


def test_ray_is_the_version_that_the_image_has():
    (installed,) = re.findall(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)

    assert one("RayCluster", "genrecast")["spec"]["rayVersion"] == installed


def test_probes_are_ours_since_kuberays_ask_for_what_the_image_has_not():
    for group in ray_groups():
        (ray,) = group["template"]["spec"]["containers"]
        ports = {port["name"] for port in ray["ports"]}
        assert ray["readinessProbe"]["tcpSocket"]["port"] in ports
        assert ray["livenessProbe"]["tcpSocket"]["port"] in ports


def test_the_probe_of_a_worker_asks_the_port_that_ray_is_told():
    _, workers = ray_groups()
    (ray,) = workers["template"]["spec"]["containers"]

    assert ray["ports"] == [
        {"name": "raylet", "containerPort": int(workers["rayStartParams"]["node-manager-port"])}
    ]


def test_a_worker_has_room_for_the_shards_of_its_stations():
    cluster = CLUSTER["cluster"]
    _, workers = ray_groups()
    (start,) = shlex.split(workers["rayStartParams"]["resources"])
    stations = json.loads(start)[cluster["resource"]]
    cores = int(workers["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])

    assert stations / cluster["per_shard"] * cluster["cpus"] <= cores


def commands() -> Iterator[list[str]]:
    """Give the arguments of each of our commands in the manifests."""
    for container in containers():
        if container["image"] == "genrecast" and "args" in container:
            yield container["args"]
        for run in (container.get("lifecycle", {}).get("preStop"), container.get("livenessProbe")):
            if run and "exec" in run:
                words = shlex.split(" ".join(run["exec"]["command"]))
                yield words[words.index("genrecast") + 1 :]


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_commands_are_such_as_there_are(arguments: list[str]):
    answer = CliRunner().invoke(cli, [*arguments, "--help"])

    assert answer.exit_code == 0, answer.output


def test_nothing_is_wrong_with_the_configuration_of_the_cluster():
    answer = CliRunner().invoke(cli, ["check", str(FOLDER / "cluster.toml")])

    assert answer.exit_code == 0, answer.output


def test_the_head_has_no_shards():
    head, _ = ray_groups()

    assert head["rayStartParams"]["num-cpus"] == "0"
    assert "resources" not in head["rayStartParams"]


def test_all_but_one_worker_stay_where_nodes_are_drained():
    _, workers = ray_groups()
    budget = one("PodDisruptionBudget", "stations")["spec"]

    assert budget["minAvailable"] == workers["replicas"] - 1
    assert budget["selector"]["matchLabels"]["ray.io/group"] == workers["groupName"]


def test_a_worker_is_given_the_time_that_its_end_takes():
    _, workers = ray_groups()
    pod = workers["template"]["spec"]
    command = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]

    assert "genrecast cluster drain" in command[-1]
    assert pod["terminationGracePeriodSeconds"] > 120  # for which `drain` waits at most


def test_shards_are_told_of_every_gateway_by_the_name_and_port_that_it_has():
    gateway = one("StatefulSet", "gateway")["spec"]
    (container,) = gateway["template"]["spec"]["containers"]
    options = dict(each.lstrip("-").split("=") for each in container["args"] if "=" in each)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    inlet, service = gateway["serviceName"], one("Service", gateway["serviceName"])["spec"]

    assert CLUSTER["gateways"] == [
        f"tcp://gateway-{number}.{inlet}:{ports['in']}" for number in range(gateway["replicas"])
    ]
    assert service["clusterIP"] == "None"  # else pods have no names
    assert service["selector"] == gateway["template"]["metadata"]["labels"]
    assert options == {"bind": f"tcp://0.0.0.0:{ports['out']}", "accept": f"tcp://0.0.0.0:{ports['in']}"}
    assert [port["port"] for port in one("Service", "gateway")["spec"]["ports"]] == [ports["out"]]


def test_the_job_asks_the_head_with_its_token():
    (container,) = one("Job", "up")["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"] for each in container["env"]}
    head, _ = ray_groups()
    ports = {
        port["name"]: port["containerPort"] for port in head["template"]["spec"]["containers"][0]["ports"]
    }
    name = one("RayCluster", "genrecast")["metadata"]["name"]

    assert env["RAY_ADDRESS"] == f"ray://{name}-head-svc:{ports['client']}"  # as KubeRay names its service
    assert env["RAY_AUTH_TOKEN"] == {"name": name, "key": "auth_token"}  # and its secret
    (extra,) = re.findall(r'"ray\[(.+)\]', (ROOT / "pyproject.toml").read_text())
    assert "client" in extra.split(",")  # who answers at ray://
    assert container["args"][:2] == ["cluster", "up"]
    assert container["args"][2] == f"{container['volumeMounts'][0]['mountPath']}/cluster.toml"


def test_ports_that_are_let_through_are_those_that_somebody_serves():
    policies = [each["spec"] for each in OBJECTS if each["kind"] == "NetworkPolicy"]
    rules = [rule for spec in policies for way in ("ingress", "egress") for rule in spec.get(way, [])]
    let = {port["port"] for rule in rules for port in rule.get("ports", [])}
    served = {port["containerPort"] for each in containers() for port in each.get("ports", [])}

    assert let - {53} <= served
    assert served - let == {6380}  # among Ray's own pods every port is let through


def test_nothing_is_let_through_that_is_not_named():
    nobody = one("NetworkPolicy", "nobody")["spec"]

    assert nobody["podSelector"] == {}
    assert nobody["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in nobody
