"""Deployments: one ReplicaSet for each template that was wanted, of which the newest takes over from the others."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from hera_k8s_sandbox.admission.deployments import RECREATE
from hera_k8s_sandbox.controllers import rollouts
from hera_k8s_sandbox.controllers.deployment_status import RolloutProgress, status_of
from hera_k8s_sandbox.controllers.jobs.pods import has_ended
from hera_k8s_sandbox.controllers.owner_references import claim, concerned, controller_of, reference_to
from hera_k8s_sandbox.controllers.rollouts import replicas_of
from hera_k8s_sandbox.controllers.work_queue import Key, WorkQueue
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.labels import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    POD_TEMPLATE_HASH,
    REVISION,
    REVISION_HISTORY,
)
from hera_k8s_sandbox.foundation.resource_types import DEPLOYMENTS, PODS, REPLICA_SETS
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.events import record_event
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.informer import reconcile
from hera_k8s_sandbox.store.store import Event
from hera_k8s_utils._types import Json

_COMPONENT: Final = "deployment-controller"


class DeploymentController:
    """Rolls out the Deployments of a sandbox."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._store = state.store
        self._queue = WorkQueue("deployment", self._sync)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to watch, beginning with the objects that exist."""
        work = (
            reconcile(self._store, DEPLOYMENTS, self._take),
            reconcile(self._store, REPLICA_SETS, self._take_set),
            reconcile(self._store, PODS, self._take_pod),
        )
        self._tasks = [asyncio.create_task(each) for each in work]

    async def stop(self) -> None:
        """Look at nothing any more."""
        self._queue.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, event: Event) -> None:
        if event.type == "DELETED":
            self._queue.forget(event.entry.key)
        else:
            self._queue.enqueue(event.entry.key)

    def _take_set(self, event: Event) -> None:
        for key in concerned(self._store, DEPLOYMENTS, event.entry):
            self._queue.enqueue(key)

    def _take_pod(self, event: Event) -> None:
        """The end of a pod may be what a Deployment waits for that replaces all at once."""
        owner = controller_of({"metadata": event.entry.meta})
        if event.type != "DELETED" or owner is None or owner.get("kind") != REPLICA_SETS.kind:
            return
        namespace = event.entry.meta["namespace"]
        found = self._store.find(REPLICA_SETS, namespace, owner["name"])
        above = None if found is None else controller_of(found)
        if above is not None:
            self._queue.enqueue((namespace, above["name"]))

    def _sync(self, key: Key) -> float | None:
        deployment = self._store.get(DEPLOYMENTS, *key)
        sets = sorted(claim(self._store, DEPLOYMENTS, deployment, REPLICA_SETS), key=_age)
        return _Rollout(self._state, deployment, sets).run()


class _Rollout:
    """One sync of a Deployment; `run` once."""

    def __init__(self, state: SandboxState, deployment: Json, sets: list[Json]) -> None:
        self._state = state
        self._store = state.store
        self._deployment = deployment
        self._namespace = deployment["metadata"]["namespace"]
        self._sets = sets
        template = deployment["spec"]["template"]
        fitting = [one for one in sets if rollouts.is_same_template(one["spec"]["template"], template)]
        self._new = fitting[0] if fitting else None
        self._told = RolloutProgress()

    @property
    def _old(self) -> list[Json]:
        name = None if self._new is None else self._new["metadata"]["name"]
        return [one for one in self._sets if one["metadata"]["name"] != name]

    def run(self) -> float | None:
        """Do the next step. Returns the seconds until there is something to say even if nothing happens."""
        if "deletionTimestamp" in self._deployment["metadata"]:
            return self._write()
        if self._deployment["spec"].get("paused") or self._is_scaled():
            self._mark_new(create=False)
            self._scale_all(rollouts.scaled_sizes(self._deployment, self._new, self._old))
            if self._deployment["spec"].get("paused"):
                self._clean_up()
        elif self._deployment["spec"]["strategy"]["type"] == RECREATE:
            self._recreate()
        else:
            self._roll()
        return self._write()

    # Steps

    def _roll(self) -> None:
        self._mark_new(create=True)
        if self._new is None:
            return
        size = rollouts.new_size(self._deployment, self._new, self._sets)
        if replicas_of(self._new) > replicas_of(self._deployment):
            size = replicas_of(self._deployment)
        if size != replicas_of(self._new):
            self._scale_all({self._new["metadata"]["name"]: size})
        elif sizes := rollouts.old_sizes(self._deployment, self._new, self._old):
            self._scale_all(sizes)
        self._clean_up()

    def _recreate(self) -> None:
        self._mark_new(create=False)
        active = [one for one in self._old if replicas_of(one)]
        if active:
            self._scale_all({one["metadata"]["name"]: 0 for one in active})
            return
        if any(self._has_live_pods(one) for one in self._old):
            return
        self._mark_new(create=True)
        if self._new is not None:
            self._scale_all({self._new["metadata"]["name"]: replicas_of(self._deployment)})
        self._clean_up()

    def _has_live_pods(self, replica_set: Json) -> bool:
        dependents = self._store.dependents(replica_set["metadata"]["uid"])
        return any(entry.resource is PODS and not has_ended(entry.object) for entry in dependents)

    def _is_scaled(self) -> bool:
        """Whether the desired number has changed since the ReplicaSets were last annotated."""
        wanted = str(replicas_of(self._deployment))
        for one in self._sets:
            annotated = (one["metadata"].get("annotations") or {}).get(DESIRED_REPLICAS)
            if replicas_of(one) and annotated is not None and annotated != wanted:
                return True
        return False

    def _mark_new(self, *, create: bool) -> None:
        """Find or make the ReplicaSet of the wanted template, and mark it and the Deployment with its revision."""
        revision = max((rollouts.revision_of(one) for one in self._old), default=0) + 1
        if self._new is not None:
            if rollouts.revision_of(self._new) < revision or self._annotations_differ(self._new):
                self._change(self._new, lambda found: self._annotate(found, revision))
            self._told.found = self._new["metadata"]["name"]
        elif create:
            self._create(revision)
        if self._new is not None:
            self._mark_revision(rollouts.revision_of(self._new))

    def _create(self, revision: int) -> None:
        meta, spec = self._deployment["metadata"], self._deployment["spec"]
        collisions = rollouts.told_of(self._deployment, "collisionCount")
        value = rollouts.hash_of(spec["template"], collisions)
        template = rollouts.with_hash(spec["template"], value)
        selector = dict(spec["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), POD_TEMPLATE_HASH: value}
        made: Json = {
            "metadata": {
                "name": f"{meta['name']}-{value}",
                "labels": dict(template["metadata"]["labels"]),
                "annotations": {},
                "ownerReferences": [reference_to(DEPLOYMENTS, self._deployment)],
            },
            "spec": {"selector": selector, "template": template},
        }
        if spec.get("minReadySeconds"):
            made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
        made["spec"]["replicas"] = rollouts.new_size(self._deployment, None, self._sets)
        self._annotate(made, revision)
        try:
            entry = operations.create(self._state, REPLICA_SETS, self._namespace, made)
        except ApiError as error:
            if error.reason == "AlreadyExists":  # another template of this hash
                self._told.collided = True
            else:
                self._told.refused = error.message
            return
        self._new = entry.object
        self._sets = [*self._sets, self._new]
        self._told.created = self._new["metadata"]["name"]
        if replicas_of(self._new):
            self._tell_scaling(self._new, 0, replicas_of(self._new))

    def _annotations_differ(self, replica_set: Json) -> bool:
        found = replica_set["metadata"].get("annotations") or {}
        wanted = rollouts.copied_annotations(self._deployment)
        return any(found.get(key) != value for key, value in wanted.items())

    def _annotate(self, replica_set: Json, revision: int) -> None:
        before = rollouts.revision_of(replica_set)
        annotations = replica_set["metadata"].setdefault("annotations", {})
        annotations |= rollouts.copied_annotations(self._deployment)
        if before < revision:
            annotations[REVISION] = str(revision)
            if before:
                history = annotations.get(REVISION_HISTORY)
                annotations[REVISION_HISTORY] = f"{history},{before}" if history else str(before)
        if before and DESIRED_REPLICAS in annotations:
            return
        surge, _ = rollouts.bounds(self._deployment)
        wanted = replicas_of(self._deployment)
        annotations |= {DESIRED_REPLICAS: str(wanted), MAX_REPLICAS: str(wanted + surge)}

    def _mark_revision(self, revision: int) -> None:
        if rollouts.revision_of(self._deployment) == revision:
            return

        def mark(found: Json) -> None:
            found["metadata"].setdefault("annotations", {})[REVISION] = str(revision)

        self._deployment = self._store.change(DEPLOYMENTS, self._namespace, self._deployment["metadata"]["name"], mark)

    def _scale_all(self, sizes: dict[str, int]) -> None:
        """Give ReplicaSets their sizes, and annotate all that run with the desired total."""
        wanted = replicas_of(self._deployment)
        surge, _ = rollouts.bounds(self._deployment)
        counts = {DESIRED_REPLICAS: str(wanted), MAX_REPLICAS: str(wanted + surge)}
        for one in self._sets:
            before, size = replicas_of(one), sizes.get(one["metadata"]["name"], replicas_of(one))
            annotations = one["metadata"].get("annotations") or {}
            if size == before and (not before or counts.items() <= annotations.items()):
                continue

            def scale(found: Json, size: int = size) -> None:
                found["spec"]["replicas"] = size
                found["metadata"].setdefault("annotations", {}).update(counts)

            changed = self._change(one, scale)
            if size != before:
                self._tell_scaling(changed, before, size)

    def _change(self, replica_set: Json, edit: Any) -> Json:
        name = replica_set["metadata"]["name"]
        changed = self._store.change(REPLICA_SETS, self._namespace, name, edit)
        self._sets = [changed if one["metadata"]["name"] == name else one for one in self._sets]
        if self._new is not None and self._new["metadata"]["name"] == name:
            self._new = changed
        return changed

    def _clean_up(self) -> None:
        """Delete the oldest ReplicaSets beyond those that are kept to go back to, once the rollout is over."""
        limit, old = self._deployment["spec"].get("revisionHistoryLimit"), self._old
        if limit is None or not self._is_complete():
            return
        idle = [one for one in old if not replicas_of(one) and not rollouts.told_of(one, "replicas")]
        for one in sorted(idle, key=rollouts.revision_of)[: max(0, len(old) - int(limit))]:
            with contextlib.suppress(ApiError):  # gone already
                operations.delete(self._state, REPLICA_SETS, self._namespace, one["metadata"]["name"])
                self._sets = [kept for kept in self._sets if kept is not one]

    def _is_complete(self) -> bool:
        wanted = replicas_of(self._deployment)
        available = 0 if self._new is None else rollouts.told_of(self._new, "availableReplicas")
        return available >= wanted and not any(replicas_of(one) for one in self._old)

    # Telling

    def _tell_scaling(self, replica_set: Json, before: int, now: int) -> None:
        way = "up" if now > before else "down"
        message = f"Scaled {way} replica set {replica_set['metadata']['name']} from {before} to {now}"
        record_event(self._store, self._deployment, reason="ScalingReplicaSet", message=message, component=_COMPONENT)

    def _write(self) -> float | None:
        status, wait = status_of(self._deployment, self._new, self._sets, self._told)
        meta = self._deployment["metadata"]

        def write(found: Json) -> None:
            if found["metadata"]["uid"] == meta["uid"]:
                found["status"] = status

        self._store.change(DEPLOYMENTS, self._namespace, meta["name"], write)
        return wait


def _age(replica_set: Json) -> tuple[str, int]:
    meta = replica_set["metadata"]
    return meta["creationTimestamp"], int(meta["resourceVersion"]) if not rollouts.revision_of(replica_set) else 0
