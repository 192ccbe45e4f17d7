"""Coin flip: what one task prints decides which task comes next.

What a task prints is its result; a task whose `when` does not hold for it is skipped.

    hera-k8s run --sandbox      # on this machine, no cluster
    hera-k8s run                # on the cluster that hera.config names
"""

from hera.workflows import Container, Steps, Workflow, script

from hera_k8s_utils import Experiment

SIDES = ("heads", "tails")


def flip() -> None:
    """Print heads or tails, which makes it the result of the task."""
    import random

    print(random.choice(["heads", "tails"]))


def workflow(environment, inputs, layout):
    """Flip, then tell: of the two tasks of the second step one runs and one is skipped."""
    run_flip = script(**environment.task)(flip)
    with Workflow(entrypoint="coin-flip") as w:
        tell = {
            side: Container(name=f"tell-{side}", command=["echo"], args=[f"it was {side}"], **environment.task)
            for side in SIDES
        }
        with Steps(name="coin-flip") as steps:
            coin = run_flip(name="flip")
            with steps.parallel():
                for side in SIDES:
                    tell[side](name=side, when=f"{coin.result} == {side}")
    return w


experiment = Experiment(name="coin-flip", image="python:3.12-slim", workflow=workflow)
