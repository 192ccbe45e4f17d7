"""The experiment next door with what local_proxy.py offers.

Its package, and a config map whose values are written down, so that it can be created.

    hera-k8s run --sandbox local_experiment.py          # on this machine, where local_proxy.py runs as well
"""

from dataclasses import replace

import experiment as on_a_cluster

from hera_k8s_kube import ConfigMap
from hera_k8s_utils import Inputs

experiment = replace(
    on_a_cluster.experiment,
    inputs=Inputs(constants={"package": "hello-proxy"}),
    requires=[
        ConfigMap(
            "proxy",
            data={
                "HTTPS_PROXY": "http://127.0.0.1:3128",
                "PIP_INDEX_URL": "https://packages.example/simple",
                "PIP_TRUSTED_HOST": "packages.example",  # nobody signed its certificate
            },
        )
    ],
)
