"""What others wrote, read within limits: files, JSON, YAML, compressed data, and what commands print."""

from __future__ import annotations

import codecs
import gzip
import json
import math
import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from hera_k8s_utils import BuildError, Inputs
from hera_k8s_utils.reading import (
    DEEPEST,
    MIB,
    FileRefused,
    TooComplex,
    gunzip,
    parse_json,
    parse_yaml,
    read_file,
    read_python,
    read_text,
    require_file,
    run_command,
)
from hera_k8s_utils.runs.records import RunRecord

posix = pytest.mark.skipif(os.name != "posix", reason="devices and pipes with names are those of POSIX systems")


# --- files -----------------------------------------------------------------------------------------------------


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"12345")
    assert read_file(file, most=5) == b"12345"
    with pytest.raises(FileRefused, match="larger than"):
        read_file(file, most=4)
    with pytest.raises(FileRefused, match="larger than"):
        require_file(file, most=4)


def test_a_text_has_plain_ends_of_lines_and_no_mark(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes("\ufeffa\r\nb\u2028c\n".encode())
    assert read_text(file) == "a\nb\u2028c\n"


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/urandom"])
def test_a_device_is_no_file(device: str) -> None:
    with pytest.raises(FileRefused, match="not a regular file"):
        read_file(device, most=MIB, pipe=True)


@posix
def test_the_empty_device_is_an_empty_file() -> None:
    assert read_file("/dev/null", most=MIB) == b""


@posix
def test_a_pipe_is_read_only_where_it_may_be_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileRefused, match="not a regular file"):
        read_file(pipe, most=MIB)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"token",))
    writer.start()
    assert read_file(pipe, most=MIB, pipe=True) == b"token"
    writer.join()


def test_a_directory_and_a_missing_file_are_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, most=MIB)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "x", most=MIB)


# --- JSON ------------------------------------------------------------------------------------------------------


def nested(levels: int, *, around: str = "[]") -> str:
    begin, end = {"[]": ("[", "]"), "{}": ('{"a":', "}")}[around]
    return begin * levels + "1" + end * levels


@pytest.mark.parametrize("around", ["[]", "{}"])
def test_json_is_nested_in_at_most_so_many_levels(around: str) -> None:
    text = nested(DEEPEST, around=around)
    assert parse_json(text) == parse_json(text.encode()) == json.loads(text)
    for levels in (DEEPEST + 1, 900, 5_000, 200_000):
        with pytest.raises(TooComplex, match="nested in more than 128 levels"):
            parse_json(nested(levels, around=around))


def test_a_deep_place_in_a_wide_text_is_found() -> None:
    wide = "[" + "[],{}," * 500 + nested(DEEPEST - 1) + "]"
    assert len(parse_json(wide)) == 1001
    with pytest.raises(TooComplex):
        parse_json(f"[{wide}]")


def test_many_small_values_are_refused_before_they_are_made() -> None:
    with pytest.raises(TooComplex, match="objects and lists"):
        parse_json(b"[" + b"[]," * 4_000_000 + b"[]]")


def test_numbers_and_repeated_keys_are_read_as_before() -> None:
    assert math.isnan(parse_json("NaN"))
    assert parse_json('{"a": 1, "a": 2}') == {"a": 2}
    with pytest.raises(ValueError, match="Expecting value"):
        parse_json("<html>")


# --- YAML ------------------------------------------------------------------------------------------------------


def laughs(alias: str) -> str:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} {alias.format(', '.join([f'*a{n - 1}'] * 10))}" for n in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize("alias", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merges"])
def test_aliases_that_stand_for_ever_more_are_refused(alias: str) -> None:
    with pytest.raises(TooComplex, match="aliases replaced"):
        parse_yaml(laughs(alias))


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "\n".join(" " * n + "a:" for n in range(200))])
def test_yaml_that_is_nested_deeply_is_refused(text: str) -> None:
    with pytest.raises((TooComplex, yaml.YAMLError)) as caught:
        parse_yaml(text)
    assert not isinstance(caught.value, TooComplex) or "nested" in str(caught.value)


def test_an_alias_for_what_holds_it_is_refused() -> None:
    with pytest.raises(TooComplex, match="alias for what holds the alias"):
        parse_yaml("a: &a [*a]")


def test_documents_and_modest_aliases_are_read() -> None:
    assert parse_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n---\n[]\n") == [
        {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}},
        [],
    ]
    assert parse_yaml("") == []


# --- compressed data and commands ------------------------------------------------------------------------------


def test_what_is_unpacked_has_a_limit() -> None:
    assert gunzip(gzip.compress(b"x" * 1000), most=1000) == b"x" * 1000
    with pytest.raises(OSError, match="larger than"):
        gunzip(gzip.compress(b"x" * 1001), most=1000)


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def test_a_command_gives_its_output_and_its_code() -> None:
    done = run_command(python("import sys; print('a'); print('b', file=sys.stderr); sys.exit(3)"), timeout=60, **PIPES)
    assert (done.returncode, done.stdout.split(), done.stderr.split()) == (3, [b"a"], [b"b"])
    assert run_command(python("pass"), timeout=60).stdout is None


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_command_that_prints_without_an_end_is_ended(stream: str) -> None:
    with pytest.raises(OSError, match="printed more than 64 KiB"):
        run_command(
            python(f"import sys\nwhile True: print('x' * 4096, file=sys.{stream})"), timeout=60, most=65536, **PIPES
        )


def test_a_command_that_says_nothing_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_command(python("import time; time.sleep(600)"), timeout=0.5, **PIPES)


def test_a_child_of_the_command_that_keeps_its_output_open_is_not_waited_for() -> None:
    program = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])"
    with pytest.raises(subprocess.TimeoutExpired):
        run_command(python(program), timeout=3, **PIPES)


# --- where it is used ------------------------------------------------------------------------------------------


def test_a_record_with_deep_documents_is_damaged_and_nothing_worse(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(nested(100_000))
    (tmp_path / "events.jsonl").write_text(nested(100_000) + '\n{"phase": "Running"}\n')
    found = RunRecord(tmp_path)
    assert found.metadata == {}
    assert list(found.events()) == [{"phase": "Running"}]


@posix
def test_a_record_with_a_pipe_in_it_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    os.mkfifo(tmp_path / "events.jsonl")
    found = RunRecord(tmp_path)
    assert found.metadata == {}
    assert list(found.events()) == []


@posix
def test_points_of_a_device_and_of_deep_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="not a regular file"):
        Inputs.from_file("/dev/zero")
    (tmp_path / "points.json").write_text(nested(100_000))
    with pytest.raises(BuildError, match="nested in more than 128 levels"):
        Inputs.from_file(tmp_path / "points.json")


# --- encodings -------------------------------------------------------------------------------------------------

TEXT = "seed,city\n1,Saint-Étienne\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_text_is_read_in_every_encoding_that_announces_itself(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "x"
    file.write_text(TEXT, encoding=encoding)
    assert read_text(file) == TEXT


def test_big_endian_texts_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x"
    for mark, encoding in ((codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF32_BE, "utf-32-be")):
        file.write_bytes(mark + TEXT.encode(encoding))
        assert read_text(file) == TEXT


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TEXT.encode("latin-1"), "not text in UTF-8: byte 0xc9 in line 2; save it as UTF-8"),
        (b"a\r\rb\r\n\xff", "byte 0xff in line 4"),
        (TEXT.encode("utf-16")[:-1], "not text in UTF-16: byte 0x0a in line 2"),
        (TEXT.encode("utf-16-le"), "it is not text in UTF-8: byte 0xc9 in line 2"),
        (b"one\ntwo\0\n", "not a text file: line 2 has a null byte"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    with pytest.raises(FileRefused) as caught:
        read_text(file)
    assert says in str(caught.value.strerror)


SOURCE = "city = 'Saint-Étienne'\n"


@pytest.mark.parametrize(
    "content",
    [
        SOURCE.encode(),
        SOURCE.encode("utf-8-sig"),
        b"# -*- coding: latin-1 -*-\n" + SOURCE.encode("latin-1"),
        b"#!/usr/bin/env python3\n# vim: set fileencoding=cp1252 :\r\n" + SOURCE.encode("cp1252"),
    ],
)
def test_python_is_read_as_the_interpreter_reads_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.py"
    file.write_bytes(content)
    assert read_python(file).endswith(SOURCE)
    assert runpy.run_path(str(file))["city"] == "Saint-Étienne"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"x = 1\ny = 2\ncity = '\xc9'\n",
            "byte 0xc9 in line 3; save it as UTF-8, or begin it with #",
        ),
        (b"# coding: klingon\n", "unknown encoding: klingon"),
        (SOURCE.encode("utf-16"), "not text in UTF-8"),
    ],
)
def test_python_that_the_interpreter_cannot_read_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "x.py"
    file.write_bytes(content)
    with pytest.raises(FileRefused) as caught:
        read_python(file)
    assert says in str(caught.value.strerror)
    with pytest.raises((SyntaxError, ValueError)):  # ValueError for null bytes, before Python 3.11.4
        runpy.run_path(str(file))
