"""Where modules and names of earlier versions went; see `hera_k8s_utils._moved`. To be removed in 0.3."""

from __future__ import annotations

from typing import Final

MODULES: Final = {
    "hera_k8s_argo.access": "hera_k8s_argo.probe",
    "hera_k8s_argo.engine_argo": "hera_k8s_argo.engines.server",
    "hera_k8s_argo.engine_kubernetes": "hera_k8s_argo.engines.objects",
    "hera_k8s_argo.events": "hera_k8s_argo.sse",
    "hera_k8s_argo.hera_globals": "hera_k8s_argo.hera_config",
    "hera_k8s_argo.logins": "hera_k8s_argo.token_store",
    "hera_k8s_argo.renewal": "hera_k8s_argo.token_refresh",
    "hera_k8s_argo.tokens": "hera_k8s_utils.network.jwt",
    "hera_k8s_argo.verdicts": "hera_k8s_argo.summaries",
}

NAMES: Final = {
    "hera_k8s_argo.logins.Login": "hera_k8s_argo.token_store.StoredToken",
    "hera_k8s_argo.logins.Logins": "hera_k8s_argo.token_store.TokenStore",
    "hera_k8s_argo.logs.continued": "hera_k8s_argo.logs.resume_stream",
    "hera_k8s_argo.renewal.RenewedToken": "hera_k8s_argo.token_refresh.RefreshingToken",
    "hera_k8s_argo.tokens.TokenFacts": "hera_k8s_utils.network.jwt.TokenClaims",
    "hera_k8s_argo.tokens.bare_token": "hera_k8s_utils.network.headers.bearer_token",
    "hera_k8s_argo.tokens.facts_of": "hera_k8s_utils.network.jwt.read_claims",
}
