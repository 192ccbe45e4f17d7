"""Definitions of custom kinds, and their objects: what is accepted, completed, pruned, refused and shown."""

from __future__ import annotations

from typing import Any

import pytest
from dialogue import Dialogue, until

Json = dict[str, Any]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "{namespace}.example.com"
OBJECTS = f"/apis/{GROUP}/v1/namespaces/{{namespace}}/things"
SIZE: Json = {"type": "integer", "minimum": 1, "maximum": 9, "default": 3}


def fields(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


def version(name: str = "v1", schema: Json | None = None, **more: Any) -> Json:
    wanted = {"type": "object"} if schema is None else schema
    return {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": wanted}, **more}


def definition(talk: Dialogue, *versions: Json, **spec: Any) -> Json:
    """The definition of things, in a group of the test's own."""
    group = GROUP.replace("{namespace}", talk.namespace)
    names = {"plural": "things", "kind": "Thing"}
    body = {"group": group, "scope": "Namespaced", "names": names, "versions": list(versions) or [version()], **spec}
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**head, "metadata": {"name": f"things.{group}"}, "spec": body}


def place(talk: Dialogue) -> str:
    return f"{DEFINITIONS}/things.{GROUP}".replace("{namespace}", talk.namespace)


def define(talk: Dialogue, *versions: Json, path: str = OBJECTS, **spec: Any) -> None:
    """Make a definition, and wait until its kind is served."""
    talk.create(DEFINITIONS, definition(talk, *versions, **spec), remember=False)
    until(lambda: conditions(talk).get("Established") == "True", "the definition to be established")
    until(lambda: talk.get(path, remember=False).code == 200, "the kind to be served")


def conditions(talk: Dialogue, name: str = "things") -> Json:
    found = talk.get(f"{DEFINITIONS}/{name}.{GROUP}", remember=False).body
    return {one["type"]: one["status"] for one in found["status"].get("conditions") or ()}


def undefine(talk: Dialogue) -> None:
    talk.send("DELETE", place(talk), remember=False)
    until(lambda: talk.get(place(talk), remember=False).code == 404, "the definition to go")


def thing(talk: Dialogue, name: str = "one", api_version: str = "v1", **content: Any) -> Json:
    head = {"apiVersion": f"{talk.namespace}.example.com/{api_version}", "kind": "Thing"}
    return {**head, "metadata": {"name": name}, **content}


def test_the_life_of_a_definition(talk: Dialogue) -> None:
    body = definition(talk, version(schema=fields(spec=fields(size=SIZE))))
    talk.create(f"{DEFINITIONS}?dryRun=All", body)
    talk.create(DEFINITIONS, body)
    until(lambda: conditions(talk).get("Established") == "True", "the definition to be established")
    path = f"{DEFINITIONS}/things.{GROUP}"
    found = talk.get(path, remember=False).body
    talk.remember("established", metadata=found["metadata"], spec=found["spec"], status=found["status"])
    assert talk.send("POST", DEFINITIONS, body).reason == "AlreadyExists"
    assert talk.patch(path, {"metadata": {"labels": {"a": "b"}}}, remember=False).code == 200
    changed = talk.patch(path, {"spec": {"names": {"shortNames": ["thg"]}}}, remember=False).body
    talk.remember("changed", generation=changed["metadata"]["generation"], names=changed["spec"]["names"])
    again = talk.send("PUT", path, body)
    assert again.code == 422
    assert talk.patch(path, {"spec": {"scope": "Cluster"}}).code == 422
    assert talk.patch(path, {"spec": {"group": "other.example.com"}}).code == 422
    gone = talk.send("DELETE", path, remember=False)
    kept = ("name", "generation", "finalizers", "deletionTimestamp", "deletionGracePeriodSeconds")
    meta = {key: gone.body["metadata"].get(key) for key in kept}
    talk.remember("deleted", code=gone.code, kind=gone.body["kind"], metadata=meta)
    until(lambda: talk.get(path, remember=False).code == 404, "the definition to go")
    assert talk.get(path).code == 404
    until(lambda: talk.get(OBJECTS, remember=False).code == 404, "the kind to go")
    assert talk.get(OBJECTS).code == 404


def schema_of(**properties: Json) -> Json:
    return {"versions": [version(schema=fields(**properties))]}


LIST_MAP = {"type": "array", "x-kubernetes-list-type": "map", "items": fields(k={"type": "string"})}
BROKEN: dict[str, Json] = {
    "group-none": {"group": ""},
    "scope": {"scope": "World"},
    "scope-none": {"scope": None},
    "names-none": {"names": {}},
    "names": {
        "names": {
            "plural": "things",
            "kind": "thing_x",
            "singular": "THING",
            "shortNames": ["A_B"],
            "listKind": "Thing",
        }
    },
    "versions-none": {"versions": []},
    "storage-none": {"versions": [version(storage=False)]},
    "storage-two": {"versions": [version(), version("v2")]},
    "versions-alike": {"versions": [version(), version(storage=False)]},
    "version-name": {"versions": [version("V_1")]},
    "schema-none": {"versions": [version() | {"schema": None}]},
    "schema-empty": {"versions": [version(schema={})]},
    "schema-text": {"versions": [version(schema={"type": "string"})]},
    "type-none": schema_of(a={}),
    "type": schema_of(a={"type": "int"}),
    "items-none": schema_of(a={"type": "array"}),
    "default": schema_of(a={"type": "integer", "default": "x"}),
    "both": schema_of(a={**fields(b={"type": "string"}), "additionalProperties": {"type": "string"}}),
    "metadata": schema_of(metadata=fields(labels={"type": "object"})),
    "unique": schema_of(a={"type": "array", "uniqueItems": True, "items": {"type": "string"}}),
    "conversion": {"conversion": {"strategy": "Other"}},
    "column": {"versions": [version(additionalPrinterColumns=[{"name": "", "type": "x", "jsonPath": ""}])]},
    "scale": {"versions": [version(subresources={"scale": {"specReplicasPath": "spec.size"}})]},
    "not-structural": schema_of(a={"anyOf": [{"type": "string"}]}),
    "reference": schema_of(a={"$ref": "#/x"}),
    "list-map": schema_of(a=LIST_MAP),
    "two-versions": {"versions": [version(storage=False, served=False), version("v2beta1")]},
    "embedded": schema_of(a={"type": "object", "x-kubernetes-embedded-resource": True}),
    "deep": schema_of(a=fields(b={"type": "array", "items": fields(c={})})),
    "different": {"versions": [version(schema=fields(a={})), version("v2", storage=False)]},
}


@pytest.mark.parametrize("case", BROKEN)
def test_definitions_that_break_a_rule(talk: Dialogue, case: str) -> None:
    assert talk.send("POST", f"{DEFINITIONS}?dryRun=All", definition(talk, **BROKEN[case])).code in (201, 422)


def test_a_definitions_name_is_that_of_its_kind(talk: Dialogue) -> None:
    body = definition(talk)
    body["metadata"]["name"] = "other.example.com"
    assert talk.send("POST", f"{DEFINITIONS}?dryRun=All", body).code == 422
    body = definition(talk)
    body["spec"]["group"] = "sub.k8s.io"
    body["metadata"]["name"] = "things.sub.k8s.io"
    assert talk.send("POST", f"{DEFINITIONS}?dryRun=All", body).code == 422


def test_a_name_that_is_taken_is_not_accepted(talk: Dialogue) -> None:
    define(talk, names={"plural": "things", "kind": "Thing", "shortNames": ["thg"]})
    for plural, kind, short in (("thingies", "Thing", "tgy"), ("thongs", "Thong", "thg")):
        names = {"plural": plural, "kind": kind, "shortNames": [short]}
        body = definition(talk, names=names)
        body["metadata"]["name"] = f"{plural}.{body['spec']['group']}"
        talk.create(DEFINITIONS, body, remember=False)
        until(lambda plural=plural: "NamesAccepted" in conditions(talk, plural), "the names to be looked at")
        found = talk.get(f"{DEFINITIONS}/{plural}.{GROUP}", remember=False).body["status"]
        talk.remember(plural, conditions=found["conditions"])
        talk.send("DELETE", f"{DEFINITIONS}/{plural}.{GROUP}", remember=False)
    undefine(talk)


SCHEMA = fields(
    spec={
        **fields(
            size={"type": "integer"},
            text={"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
            mode={"type": "string", "enum": ["a", "b"]},
            number={"type": "number"},
            small={"type": "integer", "format": "int32"},
            above={"type": "integer", "minimum": 1, "exclusiveMinimum": True},
            step={"type": "integer", "multipleOf": 3},
            items={"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}},
            set={"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            keyed={
                **LIST_MAP,
                "x-kubernetes-list-map-keys": ["k"],
                "items": {**fields(k={"type": "string"}, v={"type": "integer", "default": 7}), "required": ["k"]},
            },
            map={"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string"}},
            any={**fields(a={"type": "string"}), "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            one={"type": "object", "x-kubernetes-preserve-unknown-fields": True, "oneOf": [{"required": ["a"]}]},
            never={**fields(a={"type": "string"}), "not": {"required": ["a"]}},
            port={"x-kubernetes-int-or-string": True},
            when={"type": "string", "format": "date-time"},
            bytes={"type": "string", "format": "byte"},
            maybe={"type": "string", "nullable": True},
            whole={
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
        ),
        "required": ["size"],
    }
)
VALUES: list[Json] = [
    {"size": 1},
    {},
    {"size": "x"},
    {"size": 1.5},
    {"size": 1.0},
    {"size": True},
    {"size": None},
    {"text": "a"},
    {"text": "abcdef"},
    {"text": "A1"},
    {"mode": "c"},
    {"number": "x"},
    {"number": 3},
    {"small": 1 << 40},
    {"above": 1},
    {"step": 4},
    {"items": []},
    {"items": ["a", "b", "c"]},
    {"items": ["a", 1]},
    {"items": {}},
    {"set": ["a", "a"]},
    {"keyed": [{"k": "a"}]},
    {"keyed": [{"k": "a"}, {"k": "a"}]},
    {"keyed": [{}]},
    {"map": {"a": "1", "b": "2"}},
    {"map": {"a": 1}},
    {"map": {"a": "1", "b": "2", "c": "3"}},
    {"any": {}},
    {"one": {}},
    {"never": {"a": "x"}},
    {"port": 1},
    {"port": "http"},
    {"port": 1.5},
    {"when": "2026-11-20T10:42:00Z"},
    {"when": "yesterday"},
    {"bytes": "YQ=="},
    {"bytes": "!"},
    {"maybe": None},
    {"text": None},
    {"whole": {"a": 1}},
    {"whole": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "surplus": 1}, "other": {}}},
]


def test_objects_are_held_to_their_schema(talk: Dialogue) -> None:
    define(talk, version(schema=SCHEMA))
    for value in VALUES:
        spec = value if not value or "size" in value else {"size": 1, **value}
        answer = talk.send("POST", f"{OBJECTS}?dryRun=All", thing(talk, spec=spec), remember=False)
        told = answer.body.get("spec") if answer.code == 201 else answer.body
        talk.remember(f"an object with {value}", code=answer.code, answer=told)
    undefine(talk)


def test_unknown_fields_are_dropped_and_told(talk: Dialogue) -> None:
    schema = fields(spec=fields(deep=fields(x={"type": "boolean"}), free={"type": "object", KEEP: True}))
    define(talk, version(schema=schema))
    body = thing(talk, spec={"surplus": 1, "deep": {"y": 2}, "free": {"z": 1}}, other={})
    body["metadata"]["surplus"] = 1
    for wish in ("Ignore", "Warn", "Strict"):
        talk.send("POST", f"{OBJECTS}?dryRun=All&fieldValidation={wish}", body)
    talk.create(OBJECTS, thing(talk, spec={"deep": {"x": True}}))
    assert talk.patch(f"{OBJECTS}/one", {"spec": {"deep": {"y": 1}}}).code == 200
    applied = thing(talk, spec={"deep": {"y": 1}})
    assert talk.patch(f"{OBJECTS}/one?fieldManager=me", applied, "apply-patch+yaml").code == 500
    undefine(talk)


KEEP = "x-kubernetes-preserve-unknown-fields"


def test_defaults_are_filled_in_at_every_depth(talk: Dialogue) -> None:
    inner = {**fields(x={"type": "boolean", "default": True}), "default": {}}
    schema = fields(spec={**fields(size=SIZE, deep=inner, list={"type": "array", "items": inner}), "default": {}})
    define(talk, version(schema=schema))
    for name, content in (("a", {}), ("b", {"spec": {"size": 5}}), ("c", {"spec": {"list": [{}, {"x": False}]}})):
        talk.create(OBJECTS, thing(talk, name, **content))
    undefine(talk)


def test_the_life_of_an_object(talk: Dialogue) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1, "description": "How it works."},
    ]
    schema = fields(spec=fields(size=SIZE, mode={"type": "string"}), status=fields(ready={"type": "integer"}))
    names = {"plural": "things", "kind": "Thing", "shortNames": ["thg"], "categories": ["all"]}
    define(talk, version(schema=schema, additionalPrinterColumns=columns), names=names)
    made = talk.create(OBJECTS, thing(talk, spec={"size": 1, "mode": "a"}, status={"ready": 1}))
    assert made["status"] == {"ready": 1}
    assert talk.send("POST", OBJECTS, thing(talk, spec={"size": 1})).reason == "AlreadyExists"
    talk.get(f"{OBJECTS}/one")
    talk.get(OBJECTS)
    table = talk.get(OBJECTS, accept="application/json;as=Table;g=meta.k8s.io;v=v1", remember=False).body
    shown = [{key: one[key] for key in one if key != "description"} for one in table["columnDefinitions"]]
    talk.remember("as a table", columns=shown, cells=[row["cells"] for row in table["rows"]])
    talk.remember(
        "what the columns are said to be", told=[one["description"] for one in table["columnDefinitions"][1:]]
    )
    assert talk.patch(f"{OBJECTS}/one", {"spec": {"size": 2}}).body["metadata"]["generation"] == 2
    assert talk.patch(f"{OBJECTS}/one", {"spec": {"size": 0}}).code == 422
    assert talk.send("PUT", f"{OBJECTS}/one", thing(talk, spec={"size": 4})).code == 422
    assert talk.patch(f"{OBJECTS}/one/status", {"status": {"ready": 2}}).code == 404
    applied = thing(talk, spec={"size": 7})
    assert talk.patch(f"{OBJECTS}/one?fieldManager=me&force=true", applied, "apply-patch+yaml").code == 200
    assert talk.patch(f"{OBJECTS}/one", {"spec": {"size": 7}}, "strategic-merge-patch+json").code == 415
    assert talk.send("POST", OBJECTS, thing(talk, "two", "v2")).code == 400
    assert talk.send("POST", OBJECTS, thing(talk, "Two")).code == 422
    assert talk.send("DELETE", f"{OBJECTS}/one").code == 200
    assert talk.get(f"{OBJECTS}/one").code == 404
    undefine(talk)


def test_a_defined_kind_can_be_discovered(talk: Dialogue) -> None:
    names = {"plural": "things", "kind": "Thing", "shortNames": ["thg"], "categories": ["all"]}
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.ready"}
    define(talk, version(subresources={"status": {}, "scale": scale}), names=names)
    talk.get(f"/apis/{GROUP}")
    told = talk.get(f"/apis/{GROUP}/v1", remember=False).body
    for row in told["resources"]:
        kept = {key: value for key, value in row.items() if key != "storageVersionHash"}
        talk.remember(row["name"], **kept | {"verbs": sorted(row["verbs"])})
    assert talk.get(f"/apis/{GROUP}/v2").code == 404
    assert talk.get(f"/apis/{GROUP}/v1/namespaces/{{namespace}}/others").code == 404
    undefine(talk)
    until(lambda: talk.get(f"/apis/{GROUP}", remember=False).code == 404, "the group to go")


def test_a_status_is_written_apart(talk: Dialogue) -> None:
    schema = fields(spec=fields(size=SIZE), status=fields(ready={"type": "integer"}))
    define(talk, version(schema=schema, subresources={"status": {}}))
    made = talk.create(OBJECTS, thing(talk, spec={"size": 1}, status={"ready": 1}))
    assert "status" not in made
    assert talk.patch(f"{OBJECTS}/one/status", {"status": {"ready": 2}, "spec": {"size": 9}}).code == 200
    assert talk.patch(f"{OBJECTS}/one", {"status": {"ready": 5}}).body["status"] == {"ready": 2}
    assert talk.patch(f"{OBJECTS}/one/status", {"status": {"ready": "x"}}).code == 422
    assert talk.get(f"{OBJECTS}/one/status").code == 200
    assert talk.patch(f"{OBJECTS}/one", {"spec": {"size": 2}}).body["metadata"]["generation"] == 2
    undefine(talk)


def test_a_kind_with_replicas_is_scaled(talk: Dialogue) -> None:
    status = fields(ready={"type": "integer"}, selector={"type": "string"})
    schema = fields(spec=fields(size={"type": "integer", "maximum": 9}), status=status)
    paths = {
        "specReplicasPath": ".spec.size",
        "statusReplicasPath": ".status.ready",
        "labelSelectorPath": ".status.selector",
    }
    define(talk, version(schema=schema, subresources={"scale": paths}))
    talk.create(OBJECTS, thing(talk, spec={"size": 2}, status={"ready": 1, "selector": "a=b"}))
    found = talk.get(f"{OBJECTS}/one/scale")
    assert found.body["spec"] == {"replicas": 2}
    assert talk.patch(f"{OBJECTS}/one/scale", {"spec": {"replicas": 3}}).code == 200
    wanted = {**found.body, "spec": {"replicas": 4}}
    assert talk.send("PUT", f"{OBJECTS}/one/scale", wanted).code == 409
    wanted["metadata"] = {"name": "one", "namespace": talk.namespace}
    assert talk.send("PUT", f"{OBJECTS}/one/scale", wanted).code == 200
    assert talk.patch(f"{OBJECTS}/one/scale", {"spec": {"replicas": -1}}).code == 422
    assert talk.patch(f"{OBJECTS}/one/scale", {"spec": {"replicas": 10}}).code == 422
    assert talk.get(f"{OBJECTS}/two/scale").code == 404
    assert talk.get(f"{OBJECTS}/one").body["spec"] == {"size": 4}
    undefine(talk)


def test_several_versions_show_the_same_object(talk: Dialogue) -> None:
    schema = fields(spec=fields(size=SIZE))
    wide = fields(spec=fields(size=SIZE, colour={"type": "string", "default": "red"}))
    define(talk, version(schema=schema), version("v2beta1", schema=wide, storage=False))
    talk.create(OBJECTS, thing(talk, spec={"size": 2}))
    other = OBJECTS.replace("/v1/", "/v2beta1/")
    until(lambda: talk.get(other, remember=False).code == 200, "the other version")
    found = talk.get(f"{other}/one", remember=False).body
    talk.remember("in the other version", api_version=found["apiVersion"], kind=found["kind"])
    talk.get(f"/apis/{GROUP}")
    made = talk.create(other, thing(talk, "two", "v2beta1", spec={"size": 3}), remember=False)
    assert made["apiVersion"].endswith("/v2beta1")
    assert talk.get(f"{OBJECTS}/two", remember=False).body["apiVersion"].endswith("/v1")
    assert talk.get(OBJECTS, remember=False).names == ["one", "two"]
    undefine(talk)


def test_a_version_that_is_not_served_is_not_there(talk: Dialogue) -> None:
    define(talk, version(), version("v2", storage=False, served=False))
    assert talk.get(OBJECTS.replace("/v1/", "/v2/")).code == 404
    talk.get(f"/apis/{GROUP}")
    undefine(talk)


def test_a_cluster_scoped_kind(talk: Dialogue) -> None:
    path = f"/apis/{GROUP}/v1/things"
    define(talk, scope="Cluster", path=path)
    talk.create(path, thing(talk))
    assert talk.get(f"{path}/one").code == 200
    assert talk.get(f"{OBJECTS}/one").code == 404
    undefine(talk)


def test_watches_see_objects_of_a_defined_kind(talk: Dialogue) -> None:
    define(talk, version(schema=fields(spec=fields(size=SIZE))))
    begun = talk.get(OBJECTS, remember=False).body["metadata"]["resourceVersion"]
    talk.create(OBJECTS, thing(talk, spec={}), remember=False)
    talk.patch(f"{OBJECTS}/one", {"spec": {"size": 5}}, remember=False)
    talk.send("DELETE", f"{OBJECTS}/one", remember=False)
    events = talk.watch(f"{OBJECTS}?watch=true&resourceVersion={begun}&timeoutSeconds=5", until=3)
    talk.remember("events", told=[{"type": one["type"], "spec": one["object"]["spec"]} for one in events])
    undefine(talk)


def test_a_definition_waits_for_the_finalizers_of_its_objects(talk: Dialogue) -> None:
    define(talk)
    held = thing(talk)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    talk.create(OBJECTS, held, remember=False)
    talk.create(OBJECTS, thing(talk, "two"), remember=False)
    talk.send("DELETE", place(talk), remember=False)
    until(lambda: talk.get(OBJECTS, remember=False).names == ["one"], "what nothing holds to go")
    assert "deletionTimestamp" in talk.get(f"{OBJECTS}/one", remember=False).body["metadata"]
    assert talk.get(place(talk), remember=False).code == 200
    talk.patch(f"{OBJECTS}/one", {"metadata": {"finalizers": None}}, remember=False)
    until(lambda: talk.get(place(talk), remember=False).code == 404, "the definition to go")
    talk.remember("what is left", code=talk.get(OBJECTS, remember=False).code)


def test_a_changed_schema_is_obeyed(talk: Dialogue) -> None:
    define(talk, version(schema=fields(spec=fields(size={"type": "integer"}))))
    talk.create(OBJECTS, thing(talk, spec={"size": 100}))
    narrower = {"versions": [version(schema=fields(spec=fields(size={"type": "integer", "maximum": 9})))]}
    assert talk.patch(place(talk), {"spec": narrower}, remember=False).code == 200
    path = f"{OBJECTS}?dryRun=All"
    until(
        lambda: talk.send("POST", path, thing(talk, "b", spec={"size": 10}), remember=False).code == 422, "the change"
    )
    assert talk.get(f"{OBJECTS}/one").body["spec"] == {"size": 100}
    undefine(talk)


def test_rights_to_a_defined_kind(talk: Dialogue) -> None:
    define(talk)
    assert talk.get(OBJECTS, user="bob").code == 403
    assert talk.send("POST", DEFINITIONS, definition(talk), user="bob").code == 403
    undefine(talk)
