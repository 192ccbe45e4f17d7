"""Say whether the configured Argo server can be used: `hera-check-server`."""

from __future__ import annotations

from hera_utils import argo_server


def main() -> None:
    """Print where the server is, and as whom it is used; raises `ScriptExit` when it cannot be."""
    server = argo_server()
    server.print_config()
    print("The server can be used.")


if __name__ == "__main__":
    main()
