"""Logging: how much is said, and that no secret leaves through it."""

from __future__ import annotations

import logging
import threading
import uuid
import warnings

import pytest

from hera_k8s_utils.output.stderr_logging import RedactingFormatter, logging_to_stderr
from hera_k8s_utils.redaction import isolated_secrets, redact, register_secrets

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLW9mLWl0"


@pytest.fixture
def secret() -> str:
    """A secret that no other test has seen."""
    value = f"p/w {uuid.uuid4().hex}"
    register_secrets([value])
    return value


@pytest.mark.parametrize(
    "text",
    [
        f"token {JWT} was refused",
        "Authorization: Bearer abcdef123456",
        "Authorization: Bearer abcdefabcdef",
        "{'Authorization': 'Basic dXNlcjpwYXNzd29yZA=='}",
        "bearer v2:abcdef123456==",
        "GET /stream?access_token=abcdef123456&x=1",
        "https://me:abcdef123456@proxy.example:3128/",
    ],
)
def test_tokens_are_known_by_their_looks(text: str) -> None:
    shown = redact(text)
    assert "<redacted>" in shown
    for part in ("abcdef", "dXNlcjpw", JWT):
        assert part not in shown


@pytest.mark.parametrize(
    "text",
    [
        "the bearer token has expired",
        "basic configuration of the cluster",
        "https://argo.example:2746/workflows/vcity?listOptions.limit=5",
        "eyJ is how a token begins",
        "user@host:path",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_known_secrets_go_in_every_form(secret: str) -> None:
    from urllib.parse import quote

    for form in (secret, f"Bearer {secret}", quote(secret, safe=""), repr({"a": secret})):
        assert secret.split()[1] not in redact(f"<{form}>")


def test_a_secret_given_as_bearer_is_known_without_the_word() -> None:
    bare = uuid.uuid4().hex
    register_secrets([f"Bearer {bare}"])
    assert redact(f"it is {bare}.") == "it is <redacted>."


def test_very_short_secrets_do_not_blank_out_everything() -> None:
    register_secrets(["a", ""])
    assert redact("a banana") == "a banana"


def test_warnings_are_said_and_the_rest_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("hera_k8s_utils.some_part")
    with logging_to_stderr(0):
        log.warning("look out")
        log.info("going on")
    assert capsys.readouterr().err == "warning: look out\n"


def test_verbosity_says_more(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("hera_k8s_utils.some_part")
    with logging_to_stderr(1):
        log.info("going on")
        log.debug("in detail")
    assert capsys.readouterr().err == "info: going on\n"
    with logging_to_stderr(2):
        log.debug("in detail")
    assert capsys.readouterr().err == "debug hera_k8s_utils.some_part: in detail\n"


def test_libraries_never_say_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(2):
        logging.getLogger("kubernetes.client.rest").debug("response body: {...}")
        logging.getLogger("a_plugin").info("at work")
    assert capsys.readouterr().err == "info a_plugin: at work\n"


def test_no_secret_leaves_in_arguments_or_tracebacks(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("hera_k8s_utils.some_part")
    with logging_to_stderr(2):
        log.warning("refused: %s", {"token": secret})
        try:
            raise ValueError(secret) from RuntimeError(f"Bearer {JWT}")
        except ValueError:
            log.warning("failed", exc_info=True, stack_info=True)
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert secret not in shown
    assert JWT not in shown


def test_tracebacks_are_for_those_who_asked(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("hera_k8s_utils.some_part")

    def fail() -> None:
        try:
            raise ValueError("x")
        except ValueError:
            log.warning("failed", exc_info=True)

    with logging_to_stderr(0):
        fail()
    assert capsys.readouterr().err == "warning: failed\n"
    with logging_to_stderr(0, tracebacks=True):
        fail()
    assert "Traceback" in capsys.readouterr().err


def test_the_formatter_serves_any_handler(secret: str) -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "got %s", (secret,), None)
    assert RedactingFormatter(logging.Formatter("- %(message)s")).format(record) == "- got <redacted>"


def test_logging_is_left_as_it_was_found() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("hera_k8s_utils").level)
    with logging_to_stderr(2):
        pass
    assert (list(root.handlers), root.level, logging.getLogger("hera_k8s_utils").level) == before


def test_what_is_remembered_for_a_while_is_forgotten_after_it() -> None:
    with isolated_secrets():
        register_secrets(["only-for-a-while"])
        assert redact("only-for-a-while") == "<redacted>"
    assert redact("only-for-a-while") == "only-for-a-while"


def test_warnings_of_python_are_redacted(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(), logging_to_stderr():
        warnings.simplefilter("always")
        warnings.warn(f"unverified: {secret}", UserWarning, stacklevel=1)
    shown = capsys.readouterr().err
    assert "UserWarning: unverified: <redacted>" in shown
    assert secret not in shown


def test_an_error_that_ends_a_thread_is_redacted(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError(f"Invalid header value {f'Bearer {secret}'.encode()!r}")

    with logging_to_stderr():
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()
    shown = capsys.readouterr().err
    assert "Exception in thread worker" in shown
    assert "ValueError: Invalid header value b'Bearer <redacted>'" in shown


def test_an_error_that_ends_a_thread_acts_on_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("a server said \x1b]0;mine\x07")

    with logging_to_stderr():
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    shown = capsys.readouterr().err
    assert r"a server said \x1b]0;mine\x07" in shown
    assert "\x1b" not in shown
