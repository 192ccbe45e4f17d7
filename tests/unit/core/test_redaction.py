"""Redaction: known secrets in every form, unknown ones by their looks, and ordinary text untouched."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import textwrap
import threading
import urllib.parse
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_k8s_utils.errors import HeraK8sError
from hera_k8s_utils.redaction import (
    REDACTED,
    environment_for_children,
    isolated_secrets,
    json_without_known,
    mask_known,
    redact,
    register_secrets,
)
from hera_k8s_utils.results import CheckResult, Verdict

TOKEN = "zT5kQ2vX9mLr7WcN4bYh"
LONG = "v2k7Qz.Xw81LmNp04RtYs92BvCxZa63KdJfHg57TyUiOp18QeWr.LkMnJb_HvGc-FxDzSa09PoIuYt65"
PASSPHRASE = "open <the> 'door' & \"say\" hello/wörld\\now"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLW9mLWl0LXdpdGgtbGVuZ3Ro"

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "as bearer": lambda s: f"Bearer {s}",
    "in JSON": json.dumps,
    "in JSON in JSON": lambda s: json.dumps(json.dumps(s)),
    "in JSON as Go writes it": lambda s: json.dumps(s).replace("<", "\\u003c").replace("&", "\\u0026"),
    "as Python's repr": repr,
    "as repr of bytes": lambda s: repr(f"Bearer {s}\n".encode()),
    "quoted": lambda s: urllib.parse.quote(s, safe=""),
    "quoted in lower case": lambda s: re.sub("%..", lambda m: m[0].lower(), urllib.parse.quote(s, safe="")),
    "quoted twice": lambda s: urllib.parse.quote(urllib.parse.quote(s, safe="")),
    "as a form": urllib.parse.quote_plus,
    "in HTML": html.escape,
    "for a shell": shlex.quote,
    "in YAML": lambda s: yaml.safe_dump({"key": s}, width=1000),
    "in YAML, in double quotes": lambda s: yaml.safe_dump({"key": s}, default_style='"', width=1000),
    "in base64": lambda s: base64.b64encode(s.encode()).decode(),
    "in base64 with a line feed": lambda s: base64.b64encode(f"{s}\n".encode()).decode(),
    "in base64 for addresses": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "as a basic password": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "as a basic password, one further": lambda s: base64.b64encode(f"users:{s}".encode()).decode(),
    "as a basic password, two further": lambda s: base64.b64encode(f"a-user:{s}".encode()).decode(),
    "in base64 in an address": lambda s: urllib.parse.quote(base64.b64encode(s.encode()).decode(), safe=""),
    "in hexadecimal": lambda s: s.encode().hex(),
    "in hexadecimal in upper case": lambda s: s.encode().hex().upper(),
    "in hexadecimal with colons": lambda s: s.encode().hex(":"),
    "with each byte escaped": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "with each byte quoted": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "as numbers in HTML": lambda s: "".join(f"&#{byte};" for byte in s.encode()),
    "as bytes that Go prints": lambda s: f"[{' '.join(map(str, s.encode()))}]",
    "as a list of bytes": lambda s: str(list(s.encode())),
}


def leaks(secret: str, text: str, *, most: int = 5) -> bool:
    """Whether more than a few characters of a secret that stood in a text are there still."""
    seen = text.replace(REDACTED, "\0")
    return any(secret[at : at + most + 1] in seen for at in range(max(1, len(secret) - most)))


@pytest.mark.parametrize("secret", [TOKEN, LONG, PASSPHRASE, JWT], ids=["token", "long", "passphrase", "jwt"])
@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_is_masked_in_each_form(secret: str, form: str) -> None:
    written = FORMS[form](secret)
    with isolated_secrets():
        register_secrets([secret])
        shown = mask_known(f"it said {written} (401)")
    assert REDACTED in shown
    assert shown.startswith("it said ")
    assert shown.endswith(" (401)")
    known = 12 if "password" in form else 4  # the user's name, or quotes
    assert not leaks(written.strip("\"'=\n")[known:-4], shown)


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"]), min_size=4, max_size=60
    )
    .map(lambda s: s.strip().strip("'\"").strip())
    .filter(lambda s: len(s) >= 4 and not s.lower().startswith("bearer")),
    st.sampled_from([str, json.dumps, repr, urllib.parse.quote_plus, html.escape, shlex.quote]),
)
def test_any_secret_is_masked_in_any_quoting(secret: str, form: Callable[[str], str]) -> None:
    with isolated_secrets():
        register_secrets([secret])
        assert form(secret) not in mask_known(f"<{form(secret)}>").replace(REDACTED, "")


def test_a_secret_is_known_without_what_surrounds_it() -> None:
    with isolated_secrets():
        register_secrets([f'  "Bearer {TOKEN}"\n'])
        assert mask_known(f"got {TOKEN}.") == f"got {REDACTED}."


def test_a_secret_that_a_line_break_goes_through_is_masked() -> None:
    with isolated_secrets():
        register_secrets([LONG])
        wrapped = textwrap.fill(f"the server said {LONG} and no more", 30)
        encoded = "\n  ".join(textwrap.wrap(base64.b64encode(LONG.encode()).decode(), 20))
        assert not leaks(LONG, mask_known(wrapped))
        assert mask_known(f"data:\n  {encoded}\nend") == f"data:\n  {REDACTED}\nend"


@pytest.mark.parametrize(("start", "end"), [(0, 40), (20, 70), (33, 80)])
def test_a_piece_of_a_long_secret_is_masked(start: int, end: int) -> None:
    with isolated_secrets():
        register_secrets([LONG])
        shown = mask_known(f"token {LONG[start:end]} was cut")
    assert not leaks(LONG, shown, most=15)


def test_the_lines_of_a_private_key_are_secrets() -> None:
    lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "kZ8vX2mQ7rT4wY6uI1oP3aS5dF9gH0jK", "Ll2Zz4Xx6Cc8Vv0Bb1Nn3Mm5"]
    key = "\n".join(["-----BEGIN EC PARAMETERS-----", *lines, "-----END EC PARAMETERS-----", "", ""])
    with isolated_secrets():
        register_secrets([key])
        for line in lines:
            assert REDACTED in mask_known(f"cannot read {line}")


def test_a_json_document_stays_one() -> None:
    with isolated_secrets():
        register_secrets(['x", "a": "b', TOKEN, "12345678"])
        text = json_without_known(
            {"x": 'x", "a": "b', TOKEN: [TOKEN, 12345678, None, True], "v": Verdict.PASSED}, indent=1
        )
    assert json.loads(text) == {"x": REDACTED, REDACTED: [REDACTED, 12345678, None, True], "v": "passed"}


def test_secrets_may_be_added_while_others_are_masked() -> None:
    secrets = [f"{TOKEN}{number:04}" for number in range(200)]
    shown: list[str] = []

    def work(mine: list[str]) -> None:
        for secret in mine:
            register_secrets([secret])
            shown.append(mask_known(f"<{secret}>"))

    with isolated_secrets():
        threads = [threading.Thread(target=work, args=(secrets[at::4],)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert shown == [f"<{REDACTED}>"] * 200


def test_errors_and_verdicts_hold_no_secret() -> None:
    with isolated_secrets():
        register_secrets([TOKEN])
        error = HeraK8sError(f"GET /{TOKEN}", found=f"said b'Bearer {TOKEN}\\n'", hint=f"try {TOKEN}")
        result = CheckResult(Verdict.ERROR, f"broke: {TOKEN}", f"-> {TOKEN}", f"https://h/{TOKEN}")
    for text in (str(error), repr(error), error.wanted, error.found, error.hint, repr(result)):
        assert TOKEN not in text


def test_children_are_not_given_the_secrets_of_the_environment() -> None:
    with isolated_secrets():
        register_secrets([TOKEN])
        given = {
            "ARGO_TOKEN": f"Bearer {TOKEN}",
            "OTHER": TOKEN,
            "PATH": "/usr/bin",
            "HTTPS_PROXY": f"http://u:{TOKEN}@p",
        }
        assert environment_for_children(given) == {"PATH": "/usr/bin"}
        assert environment_for_children(given, proxies=True) == {
            "PATH": "/usr/bin",
            "HTTPS_PROXY": given["HTTPS_PROXY"],
        }


def test_a_short_secret_takes_no_variable_away_by_chance() -> None:
    with isolated_secrets():
        register_secrets(["bin1"])
        assert environment_for_children({"PATH": "/usr/bin1", "X": "bin1"}) == {"PATH": "/usr/bin1"}


# --- by their looks --------------------------------------------------------------------------------------------

CANARY = "s3cr3tK7xQ9zLmW2"


@pytest.mark.parametrize(
    "text",
    [
        f"refused: token={CANARY}",
        f"refused: token='{CANARY}' x",
        f"apikey={CANARY}",
        f"api_key={CANARY}",
        f"API-KEY={CANARY}",
        f"password={CANARY}",
        f"client_secret={CANARY}&x=1",
        f"PGPASSWORD: {CANARY}",
        f"x-api-key: {CANARY}",
        f"X-Vault-Token: {CANARY}",
        f"{{'X-Api-Key': '{CANARY}'}}",
        f"Cookie: a=b; session={CANARY}",
        f"set-cookie: sid={CANARY}; Path=/",
        f'{{"token": "{CANARY}"}}',
        f'{{\\"token\\": \\"{CANARY}\\"}}',
        f"aws_secret_access_key = {CANARY}",
        f"AWS_SECRET_ACCESS_KEY={CANARY}",
        f"--password {CANARY}",
        f"the password is {CANARY}",
        f"https://h/x?apikey={CANARY}&y=1",
        f"https://h/x?X-Amz-Signature={CANARY}",
        f"https://h/x?y=1&code={CANARY}",
        f"https://h/bearer/{CANARY}/api",
        f"https://user:{CANARY}@h/",
        f"https://user:p@{CANARY}@h/",
        f"https://x{CANARY}@h/",
        f"Authorization: token {CANARY}0",
        f"Bearer%20{CANARY}",
        f"ghp_{CANARY}{CANARY}",
        f"github_pat_{CANARY}{CANARY}",
        f"glpat-{CANARY}",
        f"k8s-aws-v1.{CANARY}",
        f"sha256~{CANARY}{CANARY}",
        f"hvs.{CANARY}{CANARY}",
        f"xoxb-{CANARY}",
        f"eyJ{CANARY}{CANARY}",
        f"x_eyJ{CANARY}.{CANARY}.{CANARY}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\\n{CANARY}",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    with isolated_secrets():
        shown = redact(text)
        assert CANARY not in shown
        assert REDACTED in shown
        assert redact(shown) == shown


def test_the_word_before_a_token_is_no_token() -> None:
    line = 'export ARGO_TOKEN="Bearer $(cat state/admin.token)"'
    assert redact(line) == line
    assert redact("ARGO_TOKEN='Bearer lettersalone'") == f"ARGO_TOKEN='Bearer {REDACTED}'"


NUMBER = st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.integers().map(str)
NAME = st.sampled_from(
    [
        "growth_rate",
        "seed",
        "method",
        "temperature",
        "token_count",
        "max_tokens",
        "n_token",
        "key",
        "alpha",
        "sig",
        "basic",
    ]
)
WORD = st.sampled_from(["ok", "passed", "failed", "results", "salt", "runner", "found", "expired", "Running", "plain"])
SUBJECT = st.sampled_from(["secret", "claim", "config map", "pull secret", "account"])
LINE = st.one_of(
    st.builds("{}={}".format, NAME, NUMBER),
    st.builds("{}: {}".format, NAME, NUMBER),
    st.builds(
        "{} {}: {}".format, st.sampled_from(["secret", "claim", "config map", "pull secret", "account"]), WORD, WORD
    ),
    st.builds("{} of {} keys".format, st.integers(0, 99), st.integers(0, 99)),
    st.builds("simulate({}:{}:{},{}:{})".format, st.integers(0, 9999), NAME, NUMBER, NAME, WORD),
    st.builds("token {} in {} min".format, WORD, st.integers(0, 99)),
    st.builds("password: {}".format, WORD),
    st.builds("max_token={}".format, NUMBER),
    st.builds("https://argo.example:2746/workflows/{}/{}-{}?limit={}".format, WORD, WORD, st.integers(0, 9), NUMBER),
    st.builds("/results/run-{}/{}={}/seed={}".format, st.integers(0, 9), NAME, NUMBER, st.integers()),
)


@given(st.lists(LINE, min_size=1, max_size=4).map("  ".join))
def test_ordinary_lines_are_untouched(line: str) -> None:
    with isolated_secrets():
        register_secrets([TOKEN, LONG, JWT, PASSPHRASE])
        assert redact(line) == line


@pytest.mark.parametrize(
    "line",
    [
        "growth_rate=3.82",
        "secret salt: ok",
        "✔ secret salt           has SALT",
        "--argo-token TOKEN, or ARGO_TOKEN=TOKEN",
        "set ARGO_TOKEN, or --argo-token-file FILE",
        "no token: nobody logged in",
        "the token: it has expired",
        "kubectl create secret docker-registry x --docker-username=NAME --docker-password=TOKEN",
        "kubectl create secret generic salt --from-literal=SALT=VALUE",
        "--credentials argo=service-account-token",
        "simulate(18:method:plain,growth_rate:3.82) failed with 1",
        "commit 6f5e3cc2b4d1a0987654321fedcba9876543210f, digest sha256:9f86d081884c7d659a2feaa0c55ad015",
        "hello-k3f9-simulate-1234567890",
        "system:serviceaccount:vcity:runner",
    ],
)
def test_lines_of_ours_stay_readable(line: str) -> None:
    assert redact(line) == line
