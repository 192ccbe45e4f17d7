"""Protobuf messages of workloads: what `kubectl create job`, `deployment` and `service` send.

Field numbers are those of the `generated.proto` files of Kubernetes' API. A field that kubectl fills in no such command
is left out, and refused when it comes: what is not understood must not get lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hera_k8s_sandbox.apiserver.protobuf.fields import Field, kind, texts


def _number(name: str, *, optional: bool = False) -> Field:
    """A number; optional: zero is something else than nothing."""
    return Field(name, "int", zero=optional)


def _truth(name: str) -> Field:
    return Field(name, "bool", zero=False)


def _many(name: str, type: str = "string") -> Field:
    return Field(name, type, repeated=True)


STRICT: Final[Mapping[str, Mapping[int, Field]]] = {
    "Job": kind("JobSpec"),
    "JobSpec": {
        1: _number("parallelism", optional=True),
        2: _number("completions", optional=True),
        3: _number("activeDeadlineSeconds", optional=True),
        4: Field("selector", "LabelSelector"),
        5: _truth("manualSelector"),
        6: Field("template", "PodTemplateSpec"),
        7: _number("backoffLimit", optional=True),
        8: _number("ttlSecondsAfterFinished", optional=True),
        9: Field("completionMode"),
        10: _truth("suspend"),
        12: _number("backoffLimitPerIndex", optional=True),
        13: _number("maxFailedIndexes", optional=True),
        14: Field("podReplacementPolicy"),
        15: Field("managedBy"),
    },
    "Deployment": kind("DeploymentSpec"),
    "DeploymentSpec": {
        1: _number("replicas", optional=True),
        2: Field("selector", "LabelSelector"),
        3: Field("template", "PodTemplateSpec"),
        4: Field("strategy", "DeploymentStrategy"),
        5: _number("minReadySeconds"),
        6: _number("revisionHistoryLimit", optional=True),
        7: _truth("paused"),
        9: _number("progressDeadlineSeconds", optional=True),
    },
    "DeploymentStrategy": {1: Field("type"), 2: Field("rollingUpdate", "RollingUpdateDeployment")},
    "RollingUpdateDeployment": {
        1: Field("maxUnavailable", "int-or-string"),
        2: Field("maxSurge", "int-or-string"),
    },
    "PodTemplateSpec": kind("PodSpec"),
    "PodSpec": {
        2: _many("containers", "Container"),
        3: Field("restartPolicy"),
        4: _number("terminationGracePeriodSeconds", optional=True),
        5: _number("activeDeadlineSeconds", optional=True),
        6: Field("dnsPolicy"),
        7: Field("nodeSelector", "map"),
        8: Field("serviceAccountName"),
        9: Field("serviceAccount"),
        10: Field("nodeName"),
        11: _truth("hostNetwork"),
        12: _truth("hostPID"),
        13: _truth("hostIPC"),
        15: _many("imagePullSecrets", "LocalObjectReference"),
        16: Field("hostname"),
        17: Field("subdomain"),
        19: Field("schedulerName"),
        20: _many("initContainers", "Container"),
        24: Field("priorityClassName"),
    },
    "Container": {
        **texts("name", "image"),
        3: _many("command"),
        4: _many("args"),
        5: Field("workingDir"),
        6: _many("ports", "ContainerPort"),
        7: _many("env", "EnvVar"),
        13: Field("terminationMessagePath"),
        14: Field("imagePullPolicy"),
        16: _truth("stdin"),
        17: _truth("stdinOnce"),
        18: _truth("tty"),
        20: Field("terminationMessagePolicy"),
    },
    "ContainerPort": {
        1: Field("name"),
        2: _number("hostPort"),
        3: _number("containerPort"),
        4: Field("protocol"),
        5: Field("hostIP"),
    },
    "EnvVar": texts("name", "value"),
    "Service": kind("ServiceSpec"),
    "ServiceSpec": {
        1: _many("ports", "ServicePort"),
        2: Field("selector", "map"),
        3: Field("clusterIP"),
        4: Field("type"),
        5: _many("externalIPs"),
        7: Field("sessionAffinity"),
        8: Field("loadBalancerIP"),
        9: _many("loadBalancerSourceRanges"),
        10: Field("externalName"),
        11: Field("externalTrafficPolicy"),
        12: _number("healthCheckNodePort"),
        13: _truth("publishNotReadyAddresses"),
        17: Field("ipFamilyPolicy"),
        18: _many("clusterIPs"),
        19: _many("ipFamilies"),
    },
    "ServicePort": {
        1: Field("name"),
        2: Field("protocol"),
        3: _number("port"),
        4: Field("targetPort", "int-or-string"),
        5: _number("nodePort"),
        6: Field("appProtocol"),
    },
}
