"""A sweep written with Hera; apart, since Hera's `script` does not understand postponed annotations."""

from hera.workflows import DAG, Workflow, script


def square(x: float, seed: int) -> None:
    print([x * x, seed])


def count(results: list) -> None:
    print(len(results))


def sweep(points: int, **workflow) -> Workflow:
    """A workflow of so many points with two seeds each, and a task that counts the results."""
    items = [{"x": repr(2.5 + i / 50), "seed": str(seed)} for i in range(points) for seed in (1, 2)]
    with Workflow(generate_name="hera-", entrypoint="sweep", **workflow) as w:
        run_square = script(image="python:3.12-slim")(square)
        run_count = script(image="python:3.12-slim")(count)
        with DAG(name="sweep", fail_fast=False):
            squares = run_square(
                name="square", arguments={"x": "{{item.x}}", "seed": "{{item.seed}}"}, with_items=items
            )
            total = run_count(name="count", arguments={"results": squares.result})
            squares >> total
    return w
