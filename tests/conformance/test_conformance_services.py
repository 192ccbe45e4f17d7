"""Services: what they are completed with and refused for, their addresses, and the endpoints that follow their pods.

Their node is an object only, which runs nothing. The tests say what became of each, as a kubelet would.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dialogue import Dialogue, until

Json = dict[str, Any]
SERVICES = "{ns}/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
SELECTOR = {"app": "web"}
PORT = {"port": 80, "targetPort": 8080}


def service(name: str = "web", **spec: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [PORT], **spec}}


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("plain", service(selector=SELECTOR)),
        ("without-selector", service()),
        ("target", service(ports=[{"port": 80}])),
        ("named", service(ports=[{"port": 80, "name": "http", "targetPort": "http"}], selector=SELECTOR)),
        ("headless", service(clusterIP="None", selector=SELECTOR)),
        ("headless-without-ports", service(clusterIP="None", selector=SELECTOR, ports=None)),
        ("headless-without-selector", service(clusterIP="None")),
        ("external-name", service(type="ExternalName", externalName="db.example.com", ports=None)),
        ("node-port", service(type="NodePort", selector=SELECTOR)),
        ("balancer", service(type="LoadBalancer", selector=SELECTOR)),
        ("affinity", service(sessionAffinity="ClientIP", selector=SELECTOR)),
        ("udp", service(ports=[{"port": 53, "protocol": "UDP"}])),
        ("unready", service(publishNotReadyAddresses=True, selector=SELECTOR)),
        ("no-ports", service(ports=[])),
        ("port-low", service(ports=[{"port": 0}])),
        ("port-high", service(ports=[{"port": 70000}])),
        ("target-high", service(ports=[{"port": 80, "targetPort": 70000}])),
        ("target-name", service(ports=[{"port": 80, "targetPort": "Not_a_name"}])),
        ("target-long", service(ports=[{"port": 80, "targetPort": "much-too-long-a-name"}])),
        ("protocol", service(ports=[{"port": 80, "protocol": "HTTP"}])),
        ("two-without-names", service(ports=[{"port": 80}, {"port": 81}])),
        ("two-of-a-name", service(ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "a"}])),
        ("two-of-a-port", service(ports=[{"port": 80, "name": "a"}, {"port": 80, "name": "b"}])),
        ("port-name", service(ports=[{"port": 80, "name": "Up"}])),
        ("type", service(type="Elsewhere")),
        ("no-external-name", service(type="ExternalName", ports=None)),
        ("external-name-bad", service(type="ExternalName", externalName="no name", ports=None)),
        ("address", service(clusterIP="nowhere")),
        ("sticky", service(sessionAffinity="Always")),
        ("label", service(selector={"app": "not a label"})),
        ("name", service(name="1.2")),
        ("long-name", service(name="n" * 64)),
    ],
)
def test_services_are_completed_or_refused(talk: Dialogue, case: str, body: Json) -> None:
    assert talk.send("POST", f"{SERVICES}?dryRun=All", body).code in (201, 422), case


def test_the_address_of_a_service_stays(talk: Dialogue) -> None:
    made = talk.create(SERVICES, service(selector=SELECTOR))
    assert talk.get(f"{SERVICES}/web").body["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    without = made | {"spec": {key: value for key, value in made["spec"].items() if not key.startswith("clusterIP")}}
    kept = talk.send("PUT", f"{SERVICES}/web", without)
    assert kept.body["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    headless = {"clusterIP": "None", "clusterIPs": ["None"]}
    assert talk.patch(f"{SERVICES}/web", {"spec": headless}).code == 422
    other = talk.create(SERVICES, service(name="other"), remember=False)
    assert other["spec"]["clusterIP"] != made["spec"]["clusterIP"]
    taken = service(name="third", clusterIP=made["spec"]["clusterIP"])
    assert talk.send("POST", SERVICES, taken).code == 422


def test_the_type_of_a_service_can_change(talk: Dialogue) -> None:
    made = talk.create(SERVICES, service(selector=SELECTOR), remember=False)
    node_port = talk.patch(f"{SERVICES}/web", {"spec": {"type": "NodePort"}})
    assert node_port.body["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert node_port.body["spec"]["ports"][0]["nodePort"] >= 30000
    talk.patch(f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}})
    talk.patch(f"{SERVICES}/web", {"spec": {"ports": [{"port": 90}]}})
    deleted = talk.send("DELETE", f"{SERVICES}/web")
    assert deleted.code == 200
    assert talk.get(f"{SERVICES}/web").code == 404


def test_services_are_listed_by_type(talk: Dialogue) -> None:
    talk.create(SERVICES, service(), remember=False)
    talk.create(SERVICES, service(name="up", type="NodePort"), remember=False)
    assert talk.get(f"{SERVICES}?fieldSelector=spec.type%3DNodePort").names == ["up"]


# Endpoints


@pytest.fixture
def node(talk: Dialogue) -> Iterator[None]:
    """A node for the test's pods, where nobody runs them: what has no node is behind no service."""
    path = f"/api/v1/nodes/{talk.namespace}-node"
    talk.create("/api/v1/nodes", {"metadata": {"name": f"{talk.namespace}-node"}}, remember=False)
    yield
    talk.send("DELETE", "{ns}/pods?gracePeriodSeconds=0", remember=False)
    talk.send("DELETE", path, remember=False)


def pod(talk: Dialogue, name: str, address: str = "", *, ready: bool = True, **more: Any) -> None:
    """A pod behind the service that runs at an address; without one it has not started."""
    container = {"name": "main", "image": "busybox", "ports": [{"name": "http", "containerPort": 8080}]}
    spec = {
        "nodeName": f"{talk.namespace}-node",
        "automountServiceAccountToken": False,
        "containers": [container | more],
    }
    body = {"metadata": {"name": name, "labels": SELECTOR}, "spec": spec}
    talk.create("{ns}/pods", body, remember=False)
    if address:
        show(talk, name, address, ready=ready)


def show(talk: Dialogue, name: str, address: str, *, ready: bool, phase: str = "Running") -> None:
    """Say of a pod that it runs, and whether it is ready."""
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    status = {"phase": phase, "podIP": address, "podIPs": [{"ip": address}], "conditions": [condition]}
    assert talk.patch(f"{{ns}}/pods/{name}/status", {"status": status}, remember=False).code == 200


def slices(talk: Dialogue) -> list[Json]:
    """The slices of the service."""
    path = f"{SLICES}?labelSelector=kubernetes.io/service-name%3Dweb"
    return list(talk.get(path, remember=False).body["items"])


def listed(talk: Dialogue, **addresses: bool) -> None:
    """Wait until the slices hold these pods, by whether they are ready; remember the slices and the Endpoints."""

    def are_told() -> bool:
        found = {
            one["targetRef"]["name"]: one["conditions"]["ready"]
            for each in slices(talk)
            for one in each.get("endpoints") or ()
        }
        subsets = talk.get("{ns}/endpoints/web", remember=False).body.get("subsets") or ()
        told = {one["targetRef"]["name"]: True for each in subsets for one in each.get("addresses") or ()}
        told |= {one["targetRef"]["name"]: False for each in subsets for one in each.get("notReadyAddresses") or ()}
        return bool(slices(talk)) and found == told == addresses

    until(are_told, f"the endpoints {addresses}")
    found = sorted(slices(talk), key=lambda one: str(one["ports"]))
    for each in found:
        each["endpoints"] = sorted(each.get("endpoints") or (), key=lambda one: str(one["addresses"]))
    talk.remember("slices", told=found)
    told = talk.get("{ns}/endpoints/web", remember=False)
    if told.body.get("subsets"):  # which come in the order of a hash
        told.body["subsets"].sort(key=lambda one: str(one.get("addresses") or one.get("notReadyAddresses")))
    warned = {"warning": told.headers["Warning"]} if "Warning" in told.headers else {}
    talk.remember("GET {ns}/endpoints/web", code=told.code, answer=told.body, **warned)


@pytest.mark.usefixtures("node")
def test_endpoints_follow_the_pods_that_are_ready(talk: Dialogue) -> None:
    talk.create(SERVICES, service(selector=SELECTOR))
    listed(talk)
    pod(talk, "one", "10.1.0.1")
    listed(talk, one=True)
    pod(talk, "two", "10.1.0.2", ready=False)
    pod(talk, "three")
    listed(talk, one=True, two=False)
    show(talk, "two", "10.1.0.2", ready=True)
    listed(talk, one=True, two=True)
    show(talk, "one", "10.1.0.1", ready=False, phase="Succeeded")
    listed(talk, two=True)
    talk.patch("{ns}/pods/two", {"metadata": {"labels": {"app": "other"}}}, remember=False)
    listed(talk)


@pytest.mark.usefixtures("node")
def test_endpoints_go_with_their_service(talk: Dialogue) -> None:
    pod(talk, "one", "10.1.0.1")
    talk.create(SERVICES, service(selector=SELECTOR), remember=False)
    listed(talk, one=True)
    talk.send("DELETE", f"{SERVICES}/web")
    until(lambda: not slices(talk) and talk.get("{ns}/endpoints/web", remember=False).code == 404, "their end")


def test_a_service_without_a_selector_has_no_endpoints_of_its_own(talk: Dialogue) -> None:
    talk.create(SERVICES, service(), remember=False)
    talk.create(SERVICES, service(name="other", selector=SELECTOR), remember=False)
    until(lambda: talk.get("{ns}/endpoints/other", remember=False).code == 200, "those of another one")
    assert talk.get("{ns}/endpoints/web").code == 404
    assert not slices(talk)
    by_hand = {"metadata": {"name": "web"}, "subsets": [{"addresses": [{"ip": "10.1.0.9"}], "ports": [{"port": 80}]}]}
    talk.create("{ns}/endpoints", by_hand)


@pytest.mark.usefixtures("node")
def test_a_port_is_asked_for_by_its_name(talk: Dialogue) -> None:
    talk.create(SERVICES, service(selector=SELECTOR, ports=[{"port": 80, "name": "web", "targetPort": "http"}]))
    pod(talk, "one", "10.1.0.1")
    pod(talk, "two", "10.1.0.2", ports=[{"name": "http", "containerPort": 9090}])
    listed(talk, one=True, two=True)


@pytest.mark.usefixtures("node")
def test_a_service_without_an_address(talk: Dialogue) -> None:
    talk.create(SERVICES, service(selector=SELECTOR, clusterIP="None"), remember=False)
    pod(talk, "one", "10.1.0.1")
    listed(talk, one=True)


@pytest.mark.usefixtures("node")
def test_a_service_that_wants_pods_before_they_are_ready(talk: Dialogue) -> None:
    talk.create(SERVICES, service(selector=SELECTOR, publishNotReadyAddresses=True), remember=False)
    pod(talk, "one", "10.1.0.1", ready=False)
    listed(talk, one=True)


@pytest.mark.usefixtures("node")
def test_labels_of_a_service_are_handed_on(talk: Dialogue) -> None:
    body = service(selector=SELECTOR)
    body["metadata"] |= {"labels": {"team": "a"}, "annotations": {"note": "n"}}
    talk.create(SERVICES, body, remember=False)
    pod(talk, "one", "10.1.0.1")
    listed(talk, one=True)
    talk.patch(f"{SERVICES}/web", {"metadata": {"labels": {"team": "b"}}}, remember=False)

    def is_told() -> bool:
        told = [one["metadata"]["labels"].get("team") for one in slices(talk)]
        return told == ["b"] == [talk.get("{ns}/endpoints/web", remember=False).body["metadata"]["labels"].get("team")]

    until(is_told, "the label")
    listed(talk, one=True)


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("plain", {}),
        ("address-type", {"addressType": "Carrier"}),
        ("no-address-type", {"addressType": None}),
        ("addresses", {"endpoints": [{"addresses": []}]}),
        ("ports", {"ports": [{"port": 80}, {"port": 81}]}),
    ],
)
def test_slices_by_hand(talk: Dialogue, case: str, change: Json) -> None:
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"]}],
        "ports": [{"port": 80}],
        **change,
    }
    assert talk.send("POST", SLICES, body).code in (201, 422), case
