"""Where modules and names of earlier versions went; see `hera_k8s_utils._moved`. To be removed in 0.3."""

from __future__ import annotations

from typing import Final

MODULES: Final = {
    "hera_k8s_kube.answers": "hera_k8s_kube.errors",
    "hera_k8s_kube.jobs.nodes": "hera_k8s_kube.jobs.run_state",
    "hera_k8s_kube.jobs.reading": "hera_k8s_kube.jobs.job_status",
    "hera_k8s_kube.jobs.reasons": "hera_k8s_kube.jobs.pending_reasons",
    "hera_k8s_kube.jobs.templates": "hera_k8s_kube.jobs.builders",
    "hera_k8s_kube.jobs.watching": "hera_k8s_kube.jobs.watch",
    "hera_k8s_kube.keyed": "hera_k8s_kube.data_keys",
    "hera_k8s_kube.looking": "hera_k8s_kube.lookups",
    "hera_k8s_kube.rights": "hera_k8s_kube.permissions",
    "hera_k8s_kube.tokens": "hera_k8s_utils.network.jwt",
    "hera_k8s_kube.usage": "hera_k8s_kube.pod_usage",
}

NAMES: Final = {
    "hera_k8s_kube.Right": "hera_k8s_kube.Permission",
    "hera_k8s_kube.answers.Request": "hera_k8s_kube.errors.RequestInfo",
    "hera_k8s_kube.answers.lost": "hera_k8s_utils.network.exchange.connection_error",
    "hera_k8s_kube.answers.refusal": "hera_k8s_kube.errors.response_error",
    "hera_k8s_kube.claims.LOCAL_PATH": "hera_k8s_utils.labels.LOCAL_PATH_ANNOTATION",
    "hera_k8s_kube.claims.provide_claim": "hera_k8s_kube.claims.build_claim",
    "hera_k8s_kube.jobs.at_once": "hera_k8s_kube.jobs.map_concurrently",
    "hera_k8s_kube.jobs.client.STOPPED": "hera_k8s_utils.labels.STOPPED_ANNOTATION",
    "hera_k8s_kube.jobs.client.at_once": "hera_k8s_kube.jobs.client.map_concurrently",
    "hera_k8s_kube.jobs.client.hand_in_all": "hera_k8s_kube.jobs.client.submit_all",
    "hera_k8s_kube.jobs.hand_in_all": "hera_k8s_kube.jobs.submit_all",
    "hera_k8s_kube.jobs.literal": "hera_k8s_kube.jobs.escape_dollars",
    "hera_k8s_kube.jobs.points.POINT": "hera_k8s_utils.labels.POINT_ANNOTATION",
    "hera_k8s_kube.jobs.points.POINTS_LABEL": "hera_k8s_utils.labels.POINTS_LABEL",
    "hera_k8s_kube.jobs.watching.Change": "hera_k8s_kube.jobs.watch.WatchEvent",
    "hera_k8s_kube.jobs.watching.Watched": "hera_k8s_kube.jobs.watch.ListWatch",
    "hera_k8s_kube.keyed.provide_config_map": "hera_k8s_kube.data_keys.build_config_map",
    "hera_k8s_kube.keyed.provide_secret": "hera_k8s_kube.data_keys.build_secret",
    "hera_k8s_kube.kubeconfig.Choice": "hera_k8s_kube.kubeconfig.SelectedContext",
    "hera_k8s_kube.kubeconfig.choose": "hera_k8s_kube.kubeconfig.select_context",
    "hera_k8s_kube.looking.absent": "hera_k8s_kube.lookups.missing_result",
    "hera_k8s_kube.looking.going": "hera_k8s_kube.lookups.is_deleting",
    "hera_k8s_kube.looking.kubectl": "hera_k8s_kube.lookups.kubectl_command",
    "hera_k8s_kube.requirements.KeyedRequirement": "hera_k8s_kube.requirements.KeyValueRequirement",
    "hera_k8s_kube.requirements.Right": "hera_k8s_kube.requirements.Permission",
    "hera_k8s_kube.rights.check_right": "hera_k8s_kube.permissions.check_permission",
    "hera_k8s_kube.rights.referenced_rights": "hera_k8s_kube.permissions.referenced_permissions",
    "hera_k8s_kube.session.Handle": "hera_k8s_kube.session.KubeconfigHandle",
    "hera_k8s_kube.tokens.Certificate": "hera_k8s_kube.certificates.Certificate",
    "hera_k8s_kube.tokens.claims_of": "hera_k8s_utils.network.jwt.decode_claims",
    "hera_k8s_kube.tokens.parse_time": "hera_k8s_utils.formatting.parse_timestamp",
    "hera_k8s_kube.tokens.read_certificate": "hera_k8s_kube.certificates.read_certificate",
}
