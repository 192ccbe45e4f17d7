"""Arkouda on Kubernetes: an instance and its exporter, deployed and deleted by Argo workflows written as Hera code."""

from __future__ import annotations

from hera_k8s_arkouda.deployment import ArkoudaDeletion, ArkoudaDeployment, ArkoudaExporter, ArkoudaExporterDeletion

__all__ = ["ArkoudaDeletion", "ArkoudaDeployment", "ArkoudaExporter", "ArkoudaExporterDeletion"]
