"""Stand-ins for the programs of Arkouda's images, and the file that makes the sandbox take them for the images."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

SUDO: Final = """#!/bin/bash
while [[ ${1-} == -* ]]; do
  case $1 in
    --user) shift 2 ;;
    --) shift; break ;;
    *) shift ;;
  esac
done
if [[ -e @HERE@/broken ]]; then
  echo "sshd: no hostkeys available -- exiting." >&2
  exit 1
fi
if [[ $1 == */arkouda_server ]]; then
  shift
  exec @PYTHON@ @HERE@/arkouda_server.py "$@"
fi
echo "sudo $*"
"""
PYTHON: Final = """#!/bin/bash
if [[ ${1-} == */pods.py ]]; then
  shift
  exec @PYTHON@ @HERE@/pods.py "$@"
fi
exec @PYTHON@ "$@"
"""
EXPORTER: Final = """#!/bin/bash
trap 'exit 0' TERM
sleep 600 &
wait
"""
PODS: Final = """
import json, sys, urllib.request
given = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:])
url = f"{given['kh']}/api/v1/namespaces/{given['n']}/pods?labelSelector=app%3D{given['a']}"
request = urllib.request.Request(url, headers={"Authorization": f"Bearer {given['k']}"})
with urllib.request.urlopen(request, timeout=30) as answer:
    print(*(pod["status"]["podIP"] for pod in json.load(answer)["items"]))
"""
SERVER: Final = """
import json, os, signal, sys, urllib.error, urllib.request
print("arkouda_server", *sys.argv[1:], flush=True)
print("SSH_SERVERS", os.environ["SSH_SERVERS"], flush=True)
wanted = [("EXTERNAL_SERVICE_NAME", 5555)]
if os.environ["COLLECT_METRICS"] == "true":
    wanted.append(("METRICS_SERVICE_NAME", 5556))
for variable, port in wanted:
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": os.environ[variable]},
            "spec": {"ports": [{"port": port}], "selector": {"app": os.environ["APP_NAME"]}}}
    url = f"{os.environ['K8S_HOST']}/api/v1/namespaces/{os.environ['NAMESPACE']}/services"
    headers = {"Authorization": "Bearer " + os.environ["SSL_TOKEN"], "Content-Type": "application/json"}
    try:
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=30)
        print("registered", body["metadata"]["name"], flush=True)
    except urllib.error.HTTPError as error:
        print("registering", body["metadata"]["name"], "failed:", error.code, error.read().decode(), flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.pause()
"""


def write_stand_ins(directory: Path) -> Path:
    """The programs, and the file for `--sandbox-images`."""
    directory.mkdir(parents=True, exist_ok=True)
    programs = {"sudo": SUDO, "python": PYTHON, "exporter": EXPORTER, "pods.py": PODS, "arkouda_server.py": SERVER}
    for name, text in programs.items():
        path = directory / name
        path.write_text(text.replace("@HERE@", str(directory)).replace("@PYTHON@", sys.executable), encoding="utf-8")
        path.chmod(0o755)
    python, exporter = str(directory / "python"), str(directory / "exporter")
    table = {
        "bearsrus/arkouda-udp-server": {"commands": {"sudo": str(directory / "sudo"), "python3": python}},
        "bearsrus/prometheus-arkouda-exporter": {"command": [exporter], "commands": {"python": exporter}},
    }
    images = directory / "images.json"
    images.write_text(json.dumps(table), encoding="utf-8")
    return images
