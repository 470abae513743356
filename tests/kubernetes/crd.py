"""KubeRay's own schema of a RayCluster, kept here so that the manifests are checked without a network.

Made anew from https://github.com/ray-project/kuberay (Apache-2.0), at a release:

    git show v1.7.0:ray-operator/config/crd/bases/ray.io_rayclusters.yaml > crd.yaml
    python -m tests.kubernetes.crd crd.yaml v1.7.0
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml

KEPT = Path(__file__).with_name("raycluster.schema.json.gz")
SOURCE = (
    "https://github.com/ray-project/kuberay {}: ray.io_rayclusters.yaml, v1, without descriptions; Apache-2.0"
)


def schema() -> Any:
    """Give the schema of ray.io/v1 RayCluster; a field that it doesn't name is refused."""
    return json.loads(gzip.decompress(KEPT.read_bytes()))


def strict(node: Any) -> Any:
    """Give a schema without its descriptions that refuses fields which Kubernetes would silently drop."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: strict(value) for key, value in node.items() if key not in ("description", "properties")}
    if "properties" in node:
        kept["properties"] = {name: strict(value) for name, value in node["properties"].items()}
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            kept["additionalProperties"] = False
    return kept


def main(crd: str, release: str) -> None:
    """Write the schema of the custom resource definition in a file."""
    versions = yaml.safe_load(Path(crd).read_text())["spec"]["versions"]
    found = next(version["schema"]["openAPIV3Schema"] for version in versions if version["name"] == "v1")
    made = {"$comment": SOURCE.format(release), **strict(found)}
    KEPT.write_bytes(gzip.compress(json.dumps(made, separators=(",", ":")).encode(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
