"""Print the environment, as a script of 0.1 does it.

From the directory above, where `hera.config` is:

    python old_style/simple.py
"""

from hera.workflows import Steps, Workflow, script

from environment import environment
from parser import parser

args = parser().get_parser().parse_args()
environment = environment(args)


@script(image=environment.task.image)
def report(namespace: str, image: str):
    """Print what was configured, then what is found. Of variables only the names: values may be secrets."""
    import os
    import platform
    import socket

    print(f"namespace  {namespace}")
    print(f"image      {image}")
    print(f"pod        {socket.gethostname()}")
    print(f"python     {platform.python_version()}")
    print(f"variables  {', '.join(sorted(os.environ))}")


with Workflow(generate_name="simple-", entrypoint="main") as w:
    with Steps(name="main"):
        report(name="report", arguments={"namespace": environment.k8s.namespace, "image": environment.task.image})

if __name__ == "__main__":
    w.create()
    print(f"submitted {w.name}")
