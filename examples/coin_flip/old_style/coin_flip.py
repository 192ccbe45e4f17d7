"""Coin flip, as a script of 0.1 writes it: what one task prints decides which task comes next.

From the directory above, where `hera.config` is:

    python old_style/coin_flip.py
"""

from hera.workflows import Container, Steps, Workflow, script

from hera_k8s_utils import argo_server, parser

argo_server(parser().parse_args())  # before the workflow is written: Hera takes the namespace then


@script(image="python:3.12-slim")
def flip():
    """Print heads or tails, which makes it the result of the task."""
    import random

    print(random.choice(["heads", "tails"]))


with Workflow(generate_name="coin-flip-", entrypoint="coin-flip") as w:
    tell = {
        side: Container(name=f"tell-{side}", image="busybox:1.37", command=["echo"], args=[f"it was {side}"])
        for side in ("heads", "tails")
    }
    with Steps(name="coin-flip") as steps:
        coin = flip(name="flip")
        with steps.parallel():
            for side, task in tell.items():
                task(name=side, when=f"{coin.result} == {side}")

if __name__ == "__main__":
    w.create()
    print(f"submitted {w.name}")
