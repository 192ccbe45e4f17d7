"""A coin is flipped until it shows heads: `python -m hera_utils.examples.hera_coin_flip`."""

from hera.workflows import Container, Step, Steps, Workflow, script

from hera_utils import argo_server, parser


@script(image="python:3.12-slim")
def flip() -> None:
    """Print one side or the other; it travels to the pod without this module, and so imports by itself."""
    import secrets

    print(secrets.choice(["heads", "tails"]))


def main() -> None:
    """Submit it to the configured server."""
    argo_server(parser().parse_args())
    with Workflow(generate_name="coin-flip-", entrypoint="play") as w:
        heads = Container(name="tell", image="busybox", command=["echo", "it was heads"])
        with Steps(name="play") as play:
            flipped = flip(name="flip")
            with play.parallel():
                Step(name="heads", template=heads, when=f"{flipped.result} == heads")
                Step(name="tails", template="play", when=f"{flipped.result} == tails")
    w.create()
    print(f"submitted {w.name}")


if __name__ == "__main__":
    main()
