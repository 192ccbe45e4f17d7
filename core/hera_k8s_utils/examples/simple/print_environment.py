"""Print the variables that a pod finds: `python -m hera_k8s_utils.examples.simple.print_environment`."""

from hera.workflows import Container, Step, Steps, Workflow, script

from hera_k8s_utils import num_exp_environment, parser


@script(image="python:3.12-slim")
def print_environment() -> None:
    """Print the names of all variables; their values may be secrets."""
    import os

    for name in sorted(os.environ):
        print(name)


def main() -> None:
    """Check both servers, and submit the workflow."""
    num_exp_environment(parser().parse_args())
    with Workflow(generate_name="print-environment-", entrypoint="main") as w:
        hello = Container(name="hello", image="busybox:1.37", command=["echo", "the variables of a pod follow"])
        with Steps(name="main"):
            Step(name="hello", template=hello)
            print_environment(name="print-environment")
    w.create()
    print(f"submitted {w.name}")


if __name__ == "__main__":
    main()
