"""The launch scripts: looked through by shellcheck, and run in a scratch root with stand-ins for programs."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from arkouda_contract import environment, objects
from hera_k8s_arkouda import launch
from hera_k8s_arkouda.templates import template_bodies

SCRIPTS = (launch.LOCALE, launch.SERVER)
TOKEN = "a-token-that-is-written-nowhere"

SUDO = """#!/bin/bash
echo "sudo $*" >>/srv/scratch/calls
while [[ ${1-} == -* ]]; do
  case $1 in
    --user) shift 2 ;;
    --) shift; break ;;
    *) shift ;;
  esac
done
exec "$@"
"""
RECORD = """#!/bin/bash
echo "$(basename "$0") $*" >>/srv/scratch/calls
"""
INSTALL = """#!/bin/bash
echo "install $*" >>/srv/scratch/calls
words=()
while (($#)); do
  case $1 in
    -o | -g) shift 2 ;;
    *) words+=("$1"); shift ;;
  esac
done
exec /usr/bin/install "${words[@]}"
"""
PYTHON = """#!/bin/bash
printf '%s\\n' "$@" >/srv/scratch/pods.arguments
echo "$FAKE_LOCALES"
"""
SERVER = """#!/bin/bash
printf '%s\\n' "$@" >/srv/scratch/server.arguments
env >/srv/scratch/server.environment
ssh="ssh -f -o 'StrictHostKeyChecking no' $SSH_OPTIONS"
sh -c "$ssh ${SSH_SERVERS%% *} \\"cd $PWD ; /opt/arkouda/arkouda_server_real\\""
"""
LOCALE_ZERO = """#!/bin/bash
env >/srv/scratch/locale.environment
"""
SSH = """#!/bin/bash
echo "ssh $*" >>/srv/scratch/calls
sent=()
while [[ $1 == -* ]]; do
  case $1 in
    -o) [[ $2 == SendEnv=* ]] && sent+=(${2#SendEnv=}); shift 2 ;;
    *) shift ;;
  esac
done
accepted=" $(/usr/bin/sed -n '/^Match/q; s/^AcceptEnv //p' /srv/scratch/sshd_config | tr '\\n' ' ') "
given=("PATH=$PATH")
for name in "${sent[@]}"; do
  [[ $accepted == *" $name "* && -n ${!name+set} ]] && given+=("$name=${!name}")
done
shift
exec env -i "${given[@]}" bash -c "$*"
"""
SED = """#!/bin/bash
exec /usr/bin/sed "${@/#\\/etc\\/ssh/\\/srv\\/scratch}"
"""
SSHD_CONFIG = "UsePAM yes\nAcceptEnv LANG\nMatch User somebody\n  PermitTTY no\n"
SLEEP = """#!/bin/bash
[[ -z ${TERMINATE-} ]] || kill -TERM $PPID
exit 0
"""


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(launch.source(name), encoding="utf-8")
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_config_maps_hold_the_scripts_as_they_are(name: str) -> None:
    made = objects(template_bodies()["deploy-arkouda-on-kubernetes"])
    scripts = {body["data"]["script"] for body in made.values() if body["kind"] == "ConfigMap"}
    assert launch.source(name) in scripts
    assert "{{" not in launch.source(name), "nothing is spliced in"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """What the scratch root shows at /srv/scratch, /opt and /home."""
    keys = tmp_path / "home" / "ubuntu" / "ssh-keys"
    keys.mkdir(parents=True)
    (keys / "id_rsa").write_text("-----BEGIN PRIVATE\n", encoding="ascii")
    (keys / "id_rsa.pub").write_text("ssh-rsa AAAA\n", encoding="ascii")
    (tmp_path / "home" / "bearsrus").mkdir()
    token = tmp_path / "opt" / "sa"
    token.mkdir(parents=True)
    (token / "token").write_text(TOKEN, encoding="ascii")
    programs = {"sudo": SUDO, "install": INSTALL, "python3": PYTHON, "sleep": SLEEP, "ssh": SSH, "sed": SED}
    programs |= dict.fromkeys(("service", "groupadd", "useradd", "usermod"), RECORD)
    for name, text in programs.items():
        write_program(tmp_path / "scratch" / "bin" / name, text)
    (tmp_path / "scratch" / "sshd_config").write_text(SSHD_CONFIG, encoding="ascii")
    write_program(tmp_path / "opt" / "arkouda" / "arkouda_server", SERVER)
    write_program(tmp_path / "opt" / "arkouda" / "arkouda_server_real", LOCALE_ZERO)
    return tmp_path


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(scratch: Path) -> Run:
    """Runs a launch script with the variables that its pod has, and others besides."""

    def run(name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        given = pod_environment(name) | {"PATH": "/srv/scratch/bin:/usr/bin:/bin", "FAKE_LOCALES": "10.0.0.7 10.0.0.8"}
        given |= {"MY_IP": "10.0.0.9", "GASNET_MASTERIP": "10.0.0.9", "SSH_SERVERS": "10.0.0.9"} | variables
        script = scratch / "scratch" / name
        script.write_text(launch.source(name), encoding="utf-8")
        command = ["bwrap", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        command += ["--tmpfs", "/tmp", "--tmpfs", "/srv", "--clearenv"]
        for place, target in (("scratch", "/srv/scratch"), ("opt", "/opt"), ("home", "/home")):
            command += ["--bind", str(scratch / place), target]
        for key, value in given.items():
            command += ["--setenv", key, value]
        return subprocess.run(
            [*command, "--", "bash", f"/srv/scratch/{name}"], capture_output=True, text=True, timeout=60
        )

    return run


@pytest.mark.needs("bwrap")
def test_a_locale_lets_the_server_in_and_then_says_that_it_is_ready(run: Run, scratch: Path) -> None:
    done = run(launch.LOCALE, TMPDIR="/home")
    assert done.returncode == 0, done.stderr
    assert (scratch / "home" / "arkouda-locale-ready").exists()
    ssh = scratch / "home" / "bearsrus" / ".ssh"
    assert mode(ssh / "id_rsa") == 0o600
    assert (ssh / "authorized_keys").read_text(encoding="ascii") == "ssh-rsa AAAA\n"
    said = calls(scratch)
    assert said.index("service ssh start") < said.index("groupadd --gid 1019 bears")
    assert "useradd --create-home --uid 1009 --gid 1019 --shell /bin/bash bearsrus" in said
    user_group = ["groupadd bearsrus", "usermod --append --groups bearsrus bearsrus"]
    assert [line for line in said if line in user_group] == user_group


@pytest.mark.needs("bwrap")
def test_the_user_of_the_image_is_not_made_again(run: Run, scratch: Path) -> None:
    done = run(launch.LOCALE, ARKOUDA_USER="ubuntu", ARKOUDA_GROUP="ubuntu", TMPDIR="/home")
    assert done.returncode == 0, done.stderr
    assert not [line for line in calls(scratch) if line.startswith(("useradd", "groupadd", "usermod"))]
    assert (scratch / "home" / "ubuntu" / ".ssh" / "id_rsa").exists()


@pytest.mark.needs("bwrap")
def test_a_locale_ends_at_once_when_its_pod_is_deleted(run: Run) -> None:
    assert run(launch.LOCALE, TMPDIR="/home", TERMINATE="1").returncode == 0


@pytest.mark.needs("bwrap")
def test_a_locale_without_keys_is_never_ready(run: Run, scratch: Path) -> None:
    (scratch / "home" / "ubuntu" / "ssh-keys" / "id_rsa").unlink()
    done = run(launch.LOCALE, TMPDIR="/home")
    assert done.returncode != 0
    assert not (scratch / "home" / "arkouda-locale-ready").exists()


@pytest.mark.needs("bwrap")
def test_the_server_finds_its_locales_and_starts_arkouda_on_all_of_them(run: Run, scratch: Path) -> None:
    done = run(launch.SERVER)
    assert done.returncode == 0, done.stderr
    assert lines(scratch, "pods.arguments") == [
        "/opt/arkouda-contrib/arkouda_integration/client/scripts/pods.py",
        "-c=/opt/sa/ca.crt",
        f"-k={TOKEN}",
        "-kh=https://k8s.example:6443",
        "-i=GET_POD_IPS",
        "-n=arkouda",
        "-a=ark-locale",
    ]
    assert lines(scratch, "server.arguments") == [
        "-nl",
        "3",
        "--ExternalIntegration.systemType=SystemType.KUBERNETES",
        "--ServerDaemon.daemonTypes=ServerDaemonType.INTEGRATION,ServerDaemonType.METRICS",
        "--memTrack=false",
        "--authenticate=false",
        "--logLevel=LogLevel.DEBUG",
        "--memMax=1000000000",
    ]
    given = dict(line.split("=", 1) for line in lines(scratch, "server.environment") if "=" in line)
    assert given["SSH_SERVERS"] == "10.0.0.9 10.0.0.7 10.0.0.8"
    assert given["GASNET_MASTERIP"] == "10.0.0.9"
    assert (given["SSL_TOKEN"], given["CACERT_FILE"]) == (TOKEN, "/opt/sa/ca.crt")
    assert "sudo --preserve-env --set-home --user bearsrus -- /opt/arkouda/arkouda_server" in "\n".join(calls(scratch))


@pytest.mark.needs("bwrap")
@pytest.mark.parametrize("user", ["ubuntu", "bearsrus"])
def test_what_arkouda_reads_reaches_it_through_ssh(run: Run, scratch: Path, user: str) -> None:
    """The spawner starts every locale by ssh, that of the server's own pod too, and sshd drops what is not named."""
    done = run(launch.SERVER, ARKOUDA_USER=user)
    assert done.returncode == 0, done.stderr
    pod = pod_environment(launch.SERVER)
    found = dict(line.split("=", 1) for line in lines(scratch, "locale.environment") if "=" in line)
    assert (found["SSL_TOKEN"], found["CACERT_FILE"]) == (TOKEN, "/opt/sa/ca.crt")
    read = {name for name in pod if re.match("(EXTERNAL|METRICS)_SERVICE_|CHPL_RT_|K8S_HOST$|NAMESPACE$", name)}
    assert len(read) == 9
    assert {name: found.get(name) for name in read} == {name: pod[name] for name in read}
    assert "MY_IP" not in found
    (spawned,) = [line for line in calls(scratch) if line.startswith("ssh ")]
    assert len(spawned) < 900, "the spawner has room for a thousand characters"
    said = calls(scratch)
    (accepting,) = [line for line in said if line.startswith("sudo sed")]
    assert said.index(accepting) < said.index("sudo service ssh start")


@pytest.mark.needs("bwrap")
def test_the_token_is_written_to_no_file_and_to_no_log(run: Run, scratch: Path) -> None:
    done = run(launch.SERVER)
    assert TOKEN not in done.stdout + done.stderr
    assert TOKEN not in "\n".join(calls(scratch))
    home = [path for path in (scratch / "home").rglob("*") if path.is_file()]
    assert not [path for path in home if TOKEN in path.read_text(encoding="utf-8")]
    assert TOKEN not in "\n".join(lines(scratch, "sshd_config"))


@pytest.mark.needs("bwrap")
def test_without_metrics_the_server_starts_no_metrics_daemon(run: Run, scratch: Path) -> None:
    run(launch.SERVER, COLLECT_METRICS="false")
    assert "--ServerDaemon.daemonTypes=ServerDaemonType.INTEGRATION" in lines(scratch, "server.arguments")


@pytest.mark.needs("bwrap")
def test_without_a_locale_the_server_says_so_and_does_not_start(run: Run, scratch: Path) -> None:
    done = run(launch.SERVER, FAKE_LOCALES="  ")
    assert done.returncode == 1
    assert "no pod with the label app=ark-locale in arkouda" in done.stderr
    assert not (scratch / "scratch" / "server.arguments").exists()


def pod_environment(name: str) -> dict[str, str]:
    """The variables that the pod of a script has, by its manifest."""
    made = objects(template_bodies()["deploy-arkouda-on-kubernetes"])
    if name == launch.LOCALE:
        spec: Any = made["deploy-arkouda-locale"]["spec"]["template"]["spec"]
    else:
        spec = made["deploy-arkouda-server"]["spec"]
    return environment(spec["containers"][-1])


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def calls(scratch: Path) -> list[str]:
    return lines(scratch, "calls")


def lines(scratch: Path, name: str) -> list[str]:
    return (scratch / "scratch" / name).read_text(encoding="utf-8").splitlines()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_variable_that_a_script_reads_is_given_to_its_pod() -> None:
    own = {"SSL_TOKEN", "CACERT_FILE", "TMPDIR"}
    for name in SCRIPTS:
        read = set(re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", launch.source(name))) - own
        assert read <= pod_environment(name).keys(), sorted(read)
