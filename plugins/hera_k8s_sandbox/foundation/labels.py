"""Keys of labels, annotations and finalizers that Kubernetes and Argo define."""

from __future__ import annotations

from typing import Final

# Argo

ARGO_PREFIX: Final = "workflows.argoproj.io/"
WORKFLOW_LABEL: Final = f"{ARGO_PREFIX}workflow"
COMPLETED_LABEL: Final = f"{ARGO_PREFIX}completed"
PHASE_LABEL: Final = f"{ARGO_PREFIX}phase"
CREATOR_LABEL: Final = f"{ARGO_PREFIX}creator"
CREATOR_LABELS: Final = (CREATOR_LABEL, f"{CREATOR_LABEL}-email", f"{CREATOR_LABEL}-preferred-username")
ARCHIVING_LABEL: Final = f"{ARGO_PREFIX}workflow-archiving-status"
RESUBMITTED_FROM: Final = f"{ARGO_PREFIX}resubmitted-from-workflow"
CRON_LABEL: Final = f"{ARGO_PREFIX}cron-workflow"
CONFIG_MAP_TYPE: Final = f"{ARGO_PREFIX}configmap-type"
NODE_ID: Final = f"{ARGO_PREFIX}node-id"
NODE_NAME: Final = f"{ARGO_PREFIX}node-name"
SCHEDULED_TIME: Final = f"{ARGO_PREFIX}scheduled-time"
TEMPLATE_ANNOTATION: Final = f"{ARGO_PREFIX}template"
"""Of a pod: what its executor needs besides the containers. Argo before 3.4 kept the template here."""
OUTPUTS_ANNOTATION: Final = f"{ARGO_PREFIX}outputs"
"""Of a pod: the outputs that the executor found when the container had ended. As in Argo before 3.4."""
CRON_COMPLETED: Final = "cronworkflows.argoproj.io/completed"
LAST_USED_SCHEDULE: Final = "cronworkflows.argoproj.io/last-used-schedule"

# Jobs

JOB_NAME: Final = "batch.kubernetes.io/job-name"
JOB_CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"
JOB_TRACKING: Final = "batch.kubernetes.io/job-tracking"
"""Finalizer of a pod that its job has not counted yet."""
COMPLETION_INDEX: Final = "batch.kubernetes.io/job-completion-index"
INDEX_FAILURES: Final = "batch.kubernetes.io/job-index-failure-count"
IGNORED_INDEX_FAILURES: Final = "batch.kubernetes.io/job-index-ignored-failure-count"

# Deployments and services

POD_TEMPLATE_HASH: Final = "pod-template-hash"
REVISION: Final = "deployment.kubernetes.io/revision"
REVISION_HISTORY: Final = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS: Final = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS: Final = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
ROLLED_BACK_TO: Final = "deprecated.deployment.rollback.to"
SERVICE_NAME: Final = "kubernetes.io/service-name"

# Storage, accounts, nodes

IS_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
STORAGE_PROVISIONER: Final = "volume.kubernetes.io/storage-provisioner"
CLAIM_PROTECTION: Final = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION: Final = "kubernetes.io/pv-protection"
ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
ACCOUNT_UID: Final = "kubernetes.io/service-account.uid"
NODE_NOT_READY: Final = "node.kubernetes.io/not-ready"

# The sandbox

REPLACES_OTHER_CLASSES: Final = "hera-k8s-utils/replaces-other-classes"
"""Of a storage class: claims that a workflow makes get it where they name one that is not there."""
WANTED_CLASS: Final = "hera-k8s-utils/sandbox-storage-class"
"""Of a claim that a workflow makes: the storage class that it asks for, where the sandbox does not have it."""
