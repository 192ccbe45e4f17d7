"""Lists and watches: pages, selectors, forms, events."""

from __future__ import annotations

from typing import Any

import pytest
from dialogue import Dialogue

Json = dict[str, Any]
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
ARGO = "/apis/argoproj.io/v1alpha1/namespaces/{namespace}"


def secret(name: str, **labels: str) -> Json:
    return {"metadata": {"name": name, "labels": labels}}


@pytest.fixture
def five(talk: Dialogue) -> Dialogue:
    """Five secrets: a red and new, b red, c blue, d blue, e without a colour."""
    colours = {
        "a": {"colour": "red", "new": ""},
        "b": {"colour": "red"},
        "c": {"colour": "blue"},
        "d": {"colour": "blue"},
    }
    for name in "abcde":
        talk.create("{ns}/secrets", secret(name, **colours.get(name, {})), remember=False)
    return talk


def test_pages_hold_every_object_once(five: Dialogue) -> None:
    names, more = [], ""
    while True:
        page = five.get("{ns}/secrets?limit=2" + (f"&continue={more}" if more else ""), remember=False)
        meta = page.body["metadata"]
        five.remember("a page", names=page.names, remaining=meta.get("remainingItemCount"), more="continue" in meta)
        names += page.names
        more = meta.get("continue", "")
        if not more:
            break
    assert names == list("abcde")


def test_a_page_is_of_the_version_that_was_begun_with(five: Dialogue) -> None:
    first = five.get("{ns}/secrets?limit=3", remember=False).body["metadata"]
    five.send("DELETE", "{ns}/secrets/d", remember=False)
    five.create("{ns}/secrets", secret("f"), remember=False)
    second = five.get(f"{{ns}}/secrets?limit=3&continue={first['continue']}", remember=False)
    assert second.names == ["d", "e"]
    assert second.body["metadata"]["resourceVersion"] == first["resourceVersion"]


def test_pages_of_a_selection_do_not_count_the_rest(five: Dialogue) -> None:
    page = five.get("{ns}/secrets?limit=1&labelSelector=colour%3Dred").body
    assert "remainingItemCount" not in page["metadata"]


@pytest.mark.parametrize(
    "query",
    [
        "continue=nonsense",
        "limit=two",
        "limit=-1",
        "labelSelector=a+b",
        "labelSelector=%3D%3D",
        "labelSelector=a+in+()",
        "labelSelector=a%3D-",
        "fieldSelector=a%3Db",
        "fieldSelector=a",
        "fieldSelector=data.a%3Db",
        "resourceVersion=new",
        "resourceVersion=-1",
        "resourceVersionMatch=Exact",
        "resourceVersion=1&resourceVersionMatch=Some",
        "watch=1&resourceVersion=new",
        "watch=1&timeoutSeconds=soon",
        "sendInitialEvents=true",
        "watch=1&timeoutSeconds=1&sendInitialEvents=true",
    ],
)
def test_queries_that_cannot_be_read(talk: Dialogue, query: str) -> None:
    talk.get(f"{{ns}}/secrets?{query}")


def test_a_version_from_the_future(talk: Dialogue) -> None:
    assert talk.get("{ns}/secrets?resourceVersion=999999999").code == 504


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("colour=red", "ab"),
        ("colour==red", "ab"),
        ("colour!=red", "cde"),
        ("colour", "abcd"),
        ("!colour", "e"),
        ("colour in (red, blue)", "abcd"),
        ("colour notin (red)", "cde"),
        ("colour=red,new", "a"),
        ("new=", "a"),
        ("colour=green", ""),
        ("colour>1", ""),
    ],
)
def test_label_selectors(five: Dialogue, selector: str, names: str) -> None:
    found = five.get("{ns}/secrets?labelSelector=" + selector.replace("=", "%3D").replace(" ", "%20"), remember=False)
    assert "".join(found.names) == names


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("metadata.name=b", "b"),
        ("metadata.name!=b", "acde"),
        ("metadata.name=b,type=Opaque", "b"),
        ("type!=Opaque", ""),
        ("metadata.namespace=elsewhere", ""),
    ],
)
def test_field_selectors(five: Dialogue, selector: str, names: str) -> None:
    found = five.get("{ns}/secrets?fieldSelector=" + selector.replace("=", "%3D"), remember=False)
    assert "".join(found.names) == names


def test_items_of_built_in_lists_omit_their_kind_and_those_of_custom_ones_do_not(talk: Dialogue) -> None:
    talk.create("{ns}/secrets", secret("a"))
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "a"}, "spec": {}}
    talk.create(f"{ARGO}/workflowtemplates", workflow | {"spec": {"templates": []}})
    assert "kind" not in talk.get("{ns}/secrets").body["items"][0]
    assert talk.get(f"{ARGO}/workflowtemplates").body["items"][0]["kind"] == "WorkflowTemplate"


def test_metadata_alone(talk: Dialogue) -> None:
    talk.create("{ns}/secrets", secret("a"))
    assert talk.get("{ns}/secrets/a", accept=PARTIAL).body["kind"] == "PartialObjectMetadata"
    assert talk.get("{ns}/secrets", accept=PARTIAL_LIST).body["kind"] == "PartialObjectMetadataList"
    assert talk.get("{ns}/secrets/nope", accept=PARTIAL).code == 404
    talk.get("{ns}/secrets", accept=PARTIAL)
    talk.get("{ns}/secrets/a", accept=f"{PARTIAL},application/json")


@pytest.mark.parametrize(
    ("plural", "body"),
    [
        ("configmaps", {"data": {"a": "1", "b": "2"}}),
        ("secrets", {"stringData": {"a": "1"}}),
        ("serviceaccounts", {}),
        (
            "persistentvolumeclaims",
            {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                    "storageClassName": "",
                }
            },
        ),
    ],
)
def test_tables(talk: Dialogue, plural: str, body: Json) -> None:
    talk.create(f"{{ns}}/{plural}", {"metadata": {"name": "one"}, **body}, remember=False)
    table = talk.get(f"{{ns}}/{plural}?fieldSelector=metadata.name%3Done", accept=TABLE, remember=False).body
    columns = [
        {key: one.get(key) for key in ("name", "type", "format", "priority")} for one in table["columnDefinitions"]
    ]
    rows = table["rows"]
    age = [one["name"] for one in columns].index("Age")
    for row in rows:
        row["cells"][age] = "<age>"
        row.pop("object")
    talk.remember("a table", kind=table["kind"], apiVersion=table["apiVersion"], columns=columns, rows=rows)
    for wish in ("None", "Metadata", "Object"):
        path = f"{{ns}}/{plural}?fieldSelector=metadata.name%3Done&includeObject={wish}"
        (row,) = talk.get(path, accept=TABLE, remember=False).body["rows"]
        talk.remember(f"a row with {wish}", kind=(row.get("object") or {}).get("kind"))


def test_a_watch_tells_what_changes(talk: Dialogue) -> None:
    version = talk.get("{ns}/secrets", remember=False).body["metadata"]["resourceVersion"]
    talk.create("{ns}/secrets", secret("a", colour="red"), remember=False)
    talk.patch("{ns}/secrets/a", {"data": {"x": "MQ=="}}, remember=False)
    talk.send("DELETE", "{ns}/secrets/a", remember=False)
    events = talk.watch(f"{{ns}}/secrets?watch=1&resourceVersion={version}", until=3)
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    talk.remember("the events", events=events)


def test_a_watch_without_a_version_begins_with_what_is_there(five: Dialogue) -> None:
    events = five.watch("{ns}/secrets?watch=1", until=5)
    assert sorted(event["object"]["metadata"]["name"] for event in events) == list("abcde")
    assert {event["type"] for event in events} == {"ADDED"}


def test_a_watch_of_a_selection_tells_what_enters_and_leaves_it(talk: Dialogue) -> None:
    version = talk.get("{ns}/secrets", remember=False).body["metadata"]["resourceVersion"]
    talk.create("{ns}/secrets", secret("a", colour="red"), remember=False)
    talk.create("{ns}/secrets", secret("b", colour="blue"), remember=False)
    talk.patch("{ns}/secrets/a", {"metadata": {"labels": {"colour": "blue"}}}, remember=False)
    talk.patch("{ns}/secrets/b", {"metadata": {"labels": {"colour": "red"}}}, remember=False)
    path = f"{{ns}}/secrets?watch=1&labelSelector=colour%3Dred&resourceVersion={version}"
    talk.remember("the events", events=talk.watch(path, until=3))


@pytest.mark.parametrize("word", ["1", "true", "perhaps", ""])
def test_words_that_ask_for_a_watch(five: Dialogue, word: str) -> None:
    assert len(five.watch(f"{{ns}}/secrets?watch={word}", until=5)) == 5


@pytest.mark.parametrize("word", ["0", "false", "False"])
def test_words_that_ask_for_a_list(five: Dialogue, word: str) -> None:
    assert five.get(f"{{ns}}/secrets?watch={word}", remember=False).names == list("abcde")


def test_a_watch_of_one_object(five: Dialogue) -> None:
    path = "{ns}/secrets?watch=1&fieldSelector=metadata.name%3Db"
    (event,) = five.watch(path, until=1)
    five.remember("the event", event=event)


def test_initial_events_are_closed_by_their_own_bookmark(five: Dialogue) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = five.watch(f"{{ns}}/secrets?{query}", until=6)
    assert [event["type"] for event in events] == [*["ADDED"] * 5, "BOOKMARK"]
    five.remember("the bookmark", event=events[-1])


def test_a_watch_ends_by_its_timeout(five: Dialogue) -> None:
    assert len(five.watch("{ns}/secrets?watch=1&timeoutSeconds=1")) == 5


def test_a_watch_of_metadata_and_of_tables(talk: Dialogue) -> None:
    talk.create("{ns}/secrets", secret("a"), remember=False)
    (partial,) = talk.watch("{ns}/secrets?watch=1", until=1, accept=PARTIAL)
    talk.remember("metadata", event=partial)
    (table,) = talk.watch("{ns}/secrets?watch=1", until=1, accept=TABLE)
    assert table["object"]["kind"] == "Table"


def test_a_watch_from_before_what_is_remembered(talk: Dialogue) -> None:
    (event,) = talk.watch("/apis/argoproj.io/v1alpha1/workflowtemplates?watch=1&resourceVersion=1", until=1)
    talk.remember("the event", event=event)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_a_watch_from_the_future(talk: Dialogue) -> None:
    events = talk.watch("{ns}/secrets?watch=1&resourceVersion=999999999&timeoutSeconds=1")
    talk.remember("the events", events=events)


def test_objects_of_all_namespaces(five: Dialogue) -> None:
    found = five.get("/api/v1/secrets?fieldSelector=metadata.namespace%3D{namespace}")
    assert found.names == list("abcde")
