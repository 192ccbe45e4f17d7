"""Files that someone else left: an experiment's directory that leads to a recording server and a marking program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_line import SMALL, Told, refuse_what_must_not_be_said
from fault_server import FaultServer

NOBODY = 65534
TOKEN = "token-of-the-environment-0123456789"
CONTENT = "content-of-a-file-of-mine-0123456789"
RUNS = {"exec": "20261120-1042-aaaa", "file": "20261120-1043-bbbb"}

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file to another user"
)
needs_posix = pytest.mark.skipif(os.name != "posix", reason="ownership and modes are POSIX's")


class Stranger:
    """A directory that someone else filled.

    marker: what the exec plugin of its kubeconfig would write. server: records what arrives. directory: with
    experiment.py, kubeconfig and runs/; `configure` adds hera.config.
    """

    def __init__(self, directory: Path, server: FaultServer, home: Path) -> None:
        self.directory, self.server, self.home = directory, server, home
        self.marker = directory.parent / "the plugin ran"
        self.imported = directory.parent / "the experiment was imported"
        directory.mkdir()
        self.kubeconfig = directory / "kubeconfig.yaml"
        self.kubeconfig.write_text(json.dumps(self._kubeconfig()))
        source = f"from pathlib import Path\nPath({str(self.imported)!r}).touch()\n{SMALL}"
        (directory / "experiment.py").write_text(source)
        self.own_file = home / "secret"
        self.own_file.write_text(CONTENT)
        self._record("exec", {"k8s_config_file": "kubeconfig.yaml"}, "kubernetes")
        self._record("file", {"argo_server": server.url, "argo_token_file": str(self.own_file)}, "argo")

    def _kubeconfig(self) -> dict[str, object]:
        status = (
            '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "abc"}}'
        )
        script = f"touch '{self.marker}'; echo '{status}'"
        plugin = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", script],
            "interactiveMode": "Never",
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": self.server.url}}],
            "users": [{"name": "it", "user": {"exec": plugin}}],
        }

    def _record(self, kind: str, back: dict[str, str], engine: str) -> None:
        record = self.directory / "runs" / RUNS[kind]
        record.mkdir(parents=True)
        about = {"run": record.name, "workflow": f"hello-{record.name[-4:]}", "experiment": "hello", "back": back}
        (record / "run.json").write_text(json.dumps(about))
        (record / "submission.json").write_text(json.dumps({"namespace": "default", "engine": engine}))

    def configure(self, kind: str) -> Path:
        """Write a hera.config that leads to the server: by `server`, with a `file` of the user's, or by `exec`."""
        text = {
            "server": f"argo_server = {self.server.url}\n",
            "file": f"argo_server = {self.server.url}\nargo_token_file = {self.own_file}\n",
            "exec": "k8s_config_file = kubeconfig.yaml\n",
        }[kind]
        path = self.directory / "hera.config"
        path.write_text(text)
        return path

    def give_away(self) -> None:
        """Make all of it another user's."""
        for path in (self.directory, *self.directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def committed(self) -> None:
        """Make it a clone: all its files are the user's, and tracked."""
        git(self.directory, "init", "-q")
        git(self.directory, "add", "--all", "--force")
        git(self.directory, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "all")
        clone = self.directory.with_name("clone")
        git(self.directory, "clone", "-q", str(self.directory), str(clone))
        shutil.rmtree(self.directory)
        self.directory = clone

    def __call__(self, *words: str, before: Sequence[str] = (), **variables: str) -> Told:
        """Type `hera-k8s WORDS` in the directory, with a token in the environment."""
        return program(*words, cwd=self.directory, before=before, ARGO_TOKEN=TOKEN, **variables)

    @property
    def harm(self) -> list[str]:
        """What was sent or run, which nobody allowed."""
        sent = [f"{each.method} {each.path} {each.headers.get('authorization', '')}" for each in self.server.requests]
        return sent + [path.name for path in (self.marker,) if path.exists()]


def program(*words: str, cwd: Path, before: Sequence[str] = (), **variables: str) -> Told:
    """`hera-k8s WORDS` as a program of its own. before: words before it, such as those of setpriv."""
    environ = {**os.environ, "NO_COLOR": "1", **variables}
    start = "import sys; sys.path.pop(0); from hera_k8s_cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [*before, sys.executable, "-c", start, *words],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
    )
    told = Told(done.returncode, done.stdout, done.stderr)
    refuse_what_must_not_be_said(told.text, (TOKEN, CONTENT))
    return told


def as_user(uid: int) -> list[str]:
    """Words before a program that run it as another user; it may still read the interpreter, wherever that is."""
    words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    words += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    tried = shutil.which("setpriv") and subprocess.run([*words, sys.executable, "-c", ""], capture_output=True)
    if not tried or tried.returncode != 0:
        pytest.skip("no program can be started as another user here (setpriv)")
    return words


def git(directory: Path, *words: str) -> None:
    """Run git in a directory."""
    subprocess.run(["git", "-C", str(directory), *words], check=True, capture_output=True)
