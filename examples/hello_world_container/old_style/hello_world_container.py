"""Hello world, as a script of 0.1 writes it: one container, one line. Only the Argo server is asked.

From the directory above, where `hera.config` is:

    python old_style/hello_world_container.py
"""

from hera.workflows import Container, Workflow

from hera_k8s_utils import argo_server, parser

argo_server(parser().parse_args())  # before the workflow is written: Hera takes the namespace then

with Workflow(generate_name="hello-world-container-", entrypoint="hello") as w:
    Container(name="hello", image="busybox:1.37", command=["echo"], args=["hello world"])

if __name__ == "__main__":
    w.create()
    print(f"submitted {w.name}")
