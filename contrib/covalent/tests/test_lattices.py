"""Lattices, dispatched to a Covalent server of the tests' own, on each cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("covalent", reason="needs Covalent: nox -s 'contrib(covalent)'")
pytest.importorskip("covalent_kubernetes_plugin", reason="needs hera-k8s-covalent: nox -s 'contrib(covalent)'")

from covalent_tasks import RULES, CovalentServer, covalent_server

pytestmark = pytest.mark.timeout(300)  # a Covalent server starts, and imports much in each script

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

README = """
import covalent as ct
from covalent_kubernetes_plugin.k8s import KubernetesExecutor

local_k8s_executor = KubernetesExecutor(
    k8s_context="minikube",
    vcpu="100m",
    memory="500Mi",
)

other_executor = KubernetesExecutor(
    k8s_context="user@covalent-eks-cluster.us-east-1.eksctl.io",
    image_repo="covalent-eks-task",
    registry="123456789012.dkr.ecr.us-east-1.amazonaws.com",
    vcpu="2.0",
    memory="4G",
)

# Run on a local cluster
@ct.electron(executor=local_k8s_executor)
def join_words(a, b):
    return ", ".join([a, b])

# Run on the cloud
@ct.electron(executor=other_executor)
def excitement(a):
    return f"{a}!"

# Construct a workflow
@ct.lattice
def simple_workflow(a, b):
    phrase = join_words(a, b)
    return excitement(phrase)

# Dispatch the workflow
dispatch_id = ct.dispatch(simple_workflow)("Hello", "World")
"""
"""The first plugin's README. Of its second executor the bucket is left out, which a test of stores has."""

WAIT = """
found = ct.get_result(dispatch_id, wait=True)
import json
nodes = [found.get_node_result(number) for number in range(2)]
told = [{name: str(node.get(name) or "") for name in ("status", "error", "stdout", "stderr")} for node in nodes]
print(json.dumps({"status": str(found.status), "result": repr(found.result), "nodes": told}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CovalentServer]:
    """A Covalent server, without Dask."""
    with covalent_server(tmp_path_factory.mktemp("covalent")) as running:
        yield running


@pytest.fixture
def kubeconfig(each_cluster: Any, tmp_path: Path) -> Path:
    """One file with the README's two contexts, both of the test's namespace."""
    config = json.loads(each_cluster.account("covalent", RULES).read_text())
    (context,) = config["contexts"]
    names = ["minikube", "user@covalent-eks-cluster.us-east-1.eksctl.io"]
    config["contexts"] = [{**context, "name": name} for name in names]
    config["current-context"] = names[0]
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    return file


@pytest.fixture
def dispatch(server: CovalentServer, kubeconfig: Path, tmp_path: Path) -> Any:
    """Runs a script whose executors are for the cluster; returns what it printed last."""

    def run(source: str) -> Any:
        script = tmp_path / "lattice.py"
        script.write_text(
            source.replace("KubernetesExecutor(\n", f'KubernetesExecutor(\n    k8s_config_file="{kubeconfig}",\n')
        )
        return json.loads(server.run(script).splitlines()[-1])

    return run


def test_the_readmes_lattice(dispatch: Any, nothing_left: Any) -> None:
    found = dispatch(README + WAIT)
    assert (found["status"], found["result"]) == ("COMPLETED", "'Hello, World!'")


def test_a_lattice_whose_task_fails_says_where(dispatch: Any, nothing_left: Any) -> None:
    found = dispatch(README.replace('return ", ".join([a, b])', "raise ValueError(a + b)") + WAIT)
    assert found["status"] == "FAILED"
    assert found["nodes"][0]["status"] == "FAILED"
    assert found["nodes"][0]["stderr"].endswith("ValueError: HelloWorld\n")


def test_a_lattice_whose_image_cannot_be_pulled_says_so(dispatch: Any, nothing_left: Any) -> None:
    source = README.replace('    vcpu="100m",', '    base_image="unknown.invalid/task:1",\n    poll_freq=1,')
    found = dispatch(source + WAIT)
    assert found["status"] == "FAILED"
    assert "unknown.invalid/task:1" in found["nodes"][0]["error"]
    assert "cannot start" in found["nodes"][0]["error"]


def test_a_cancelled_lattice_ends_its_task_on_the_cluster(dispatch: Any, nothing_left: Any, each_cluster: Any) -> None:
    cancel = f"""
import json, time
from pathlib import Path
from kubernetes import client, config

config.load_kube_config(CONFIG)
jobs = client.BatchV1Api()
until = time.monotonic() + 60
while not any(job.status.ready for job in jobs.list_namespaced_job({each_cluster.namespace!r}).items):
    assert time.monotonic() < until
    time.sleep(0.1)
ct.cancel(dispatch_id)
"""
    source = README.replace('return ", ".join([a, b])', "import time; time.sleep(300)")
    config = "CONFIG = local_k8s_executor.k8s_config_file\n"
    found = dispatch(source + config + cancel + WAIT)
    assert found["status"] == "CANCELLED"


def test_lists_and_results_of_other_tasks_travel(dispatch: Any, nothing_left: Any) -> None:
    source = """
import covalent as ct
from covalent_kubernetes_plugin.k8s import KubernetesExecutor

executor = KubernetesExecutor(
    vcpu="100m", memory="100Mi"
)

@ct.electron(executor=executor)
def square(x):
    print("squaring", x)
    return x * x

@ct.electron(executor=executor)
def total(values):
    return sum(values)

@ct.lattice(executor=executor, workflow_executor="local")
def sum_of_squares(n):
    return total([square(x) for x in range(n)])

dispatch_id = ct.dispatch(sum_of_squares)(4)
"""
    found = dispatch(source + WAIT)
    assert (found["status"], found["result"]) == ("COMPLETED", "14")
    assert "squaring" in found["nodes"][0]["stdout"]


def test_an_executor_by_its_name(server: CovalentServer, kubeconfig: Path, tmp_path: Path, nothing_left: Any) -> None:
    """With nothing but what Covalent's configuration and kubectl's say."""
    home = Path(server.environ["HOME"]) / ".kube"
    home.mkdir(exist_ok=True)
    (home / "config").write_bytes(kubeconfig.read_bytes())
    script = tmp_path / "named.py"
    script.write_text(
        "import covalent as ct\n\n@ct.electron(executor='k8s')"
        + README.partition("# Run on the cloud")[0].partition("executor=local_k8s_executor)")[2]
        + """
dispatch_id = ct.dispatch(ct.lattice(join_words))("a", "b")
print(ct.get_result(dispatch_id, wait=True).result)
"""
    )
    assert server.run(script).splitlines()[-1] == "a, b"


def test_the_example(server: CovalentServer, kubeconfig: Path, nothing_left: Any) -> None:
    """Its executor names no cluster: the kubeconfig is where kubectl looks for it."""
    home = Path(server.environ["HOME"]) / ".kube"
    home.mkdir(exist_ok=True)
    (home / "config").write_bytes(kubeconfig.read_bytes())
    told = server.run(EXAMPLES / "logistic_map.py")
    assert told.splitlines()[-1] == "COMPLETED {2.9: 1, 3.2: 2, 3.5: 4, 3.55: 8}"
