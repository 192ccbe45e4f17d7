"""One container that says hello: `python -m hera_utils.examples.hello_world_container`."""

from __future__ import annotations

from hera.workflows import Container, Workflow

from hera_utils import argo_server, parser


def main() -> None:
    """Submit it to the configured server."""
    argo_server(parser().parse_args())
    with Workflow(generate_name="hello-world-", entrypoint="hello") as w:
        Container(name="hello", image="busybox", command=["echo", "hello world"])
    w.create()
    print(f"submitted {w.name}")


if __name__ == "__main__":
    main()
