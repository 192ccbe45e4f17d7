"""A proxy and a package index of this machine, with which the example is tried on the sandbox.

    python local_proxy.py [PORT]        # 3128 unless said otherwise; Ctrl-C ends it

It opens the way to one host only, packages.example, a name that no resolver knows (RFC 2606): whoever gets a package
from there has come through the proxy. The host behind it is this program as well: it serves, over TLS, the simple
index (PEP 503) of one package, hello-proxy, that it makes itself. Each request is logged on standard output.
"""

import base64
import contextlib
import hashlib
import io
import ssl
import subprocess
import sys
import tempfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "packages.example"
NAME, VERSION = "hello_proxy", "1.0"
WHEEL = f"{NAME}-{VERSION}-py3-none-any.whl"
PATIENCE = 30  # seconds that a connection may be silent


def wheel() -> bytes:
    """The package: one module, and what the format asks for beside it."""
    info = f"{NAME}-{VERSION}.dist-info"
    files = {
        f"{NAME}.py": '"""Came through the proxy."""\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME.replace('_', '-')}\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: local_proxy\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return content.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def certificate() -> ssl.SSLContext:
    """TLS with a certificate that nobody signed; its key leaves neither this machine nor this process."""
    with tempfile.TemporaryDirectory() as directory:
        key, pem = Path(directory, "key.pem"), Path(directory, "cert.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={HOST}"]
        subprocess.run([*command, "-keyout", key, "-out", pem], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
    return context


class Proxy(BaseHTTPRequestHandler):
    """Answers CONNECT, and in the tunnel, as the host that was asked for, GET."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    tls: ssl.SSLContext
    package: bytes

    def do_CONNECT(self) -> None:
        """Open a tunnel to the one host that there is."""
        if self.path != f"{HOST}:443":
            self.send_error(403, f"there is no way to {self.path}")
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False  # urllib3 asks for the tunnel in HTTP/1.0

    def do_GET(self) -> None:
        """A page of the index, or the package; to those who came through the tunnel."""
        if not isinstance(self.connection, ssl.SSLSocket):
            self.send_error(403, "only CONNECT is served here")
        elif self.path == f"/simple/{NAME.replace('_', '-')}/":
            digest = hashlib.sha256(self.package).hexdigest()
            self._send("text/html", f'<!DOCTYPE html><a href="/{WHEEL}#sha256={digest}">{WHEEL}</a>'.encode())
        elif self.path == f"/{WHEEL}":
            self._send("application/octet-stream", self.package)
        else:
            self.send_error(404)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        """Close the tunnel too; the server knows only the socket below it."""
        super().finish()
        self.connection.close()

    def log_message(self, form: str, *values: object) -> None:
        """One line a request, at once."""
        print(form % values, flush=True)


def main() -> None:
    """Serve on the loopback until it is interrupted."""
    Proxy.tls, Proxy.package = certificate(), wheel()
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 3128), Proxy) as server:
        print(f"proxy on http://127.0.0.1:{server.server_port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
