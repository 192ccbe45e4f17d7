"""The logistic map: raise the growth rate, and order turns into chaos (R. May, Nature 261, 1976).

Every point of the sweep iterates x <- r x (1 - x) and keeps where the orbit settles; one last task draws them all.

    hera-k8s run --sandbox      # on this machine, no cluster
    hera-k8s run                # on the cluster that hera.config names
"""

from hera.workflows import DAG, Resources, Workflow, script

from hera_k8s_kube import ConfigMap, PersistentVolumeClaim, Secret
from hera_k8s_utils import Experiment, Inputs, linspace


def simulate(growth_rate: float, seed: int, output: str) -> None:
    """Iterate until the transient has died out, then write OUTPUT/orbit.json (whole or absent)."""
    import hashlib
    import json
    import os

    transient, samples = int(os.environ["TRANSIENT"]), int(os.environ["SAMPLES"])
    start = hashlib.sha256(f"{os.environ['SALT']}:{seed}".encode()).digest()  # the salt makes the starts ours alone
    x = (int.from_bytes(start[:6], "big") + 1) / (2**48 + 1)  # strictly between 0 and 1
    for _ in range(transient):
        x = growth_rate * x * (1 - x)
    orbit = []
    for _ in range(samples):
        x = growth_rate * x * (1 - x)
        orbit.append(x)

    os.makedirs(output, exist_ok=True)
    unfinished = os.path.join(output, "orbit.json.part")
    with open(unfinished, "w") as file:
        json.dump({"growth_rate": growth_rate, "seed": seed, "orbit": orbit}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, os.path.join(output, "orbit.json"))
    print(f"growth rate {growth_rate}, seed {seed}: {len({round(x, 9) for x in orbit})} distinct values")


def draw(results: str, expected: int) -> None:
    """Gather every orbit below RESULTS into bifurcation.csv and bifurcation.png."""
    import csv
    import json
    import os
    import struct
    import zlib

    found = []
    for directory, _, names in os.walk(results):
        if "orbit.json" in names:
            with open(os.path.join(directory, "orbit.json")) as file:
                found.append(json.load(file))
    if len(found) != expected:
        raise SystemExit(f"{len(found)} orbits below {results}, expected {expected}")
    found.sort(key=lambda each: (each["growth_rate"], each["seed"]))

    with open(os.path.join(results, "bifurcation.csv"), "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["growth_rate", "seed", "x"])
        table.writerows((each["growth_rate"], each["seed"], repr(x)) for each in found for x in each["orbit"])

    rates = sorted({each["growth_rate"] for each in found})
    column = {rate: position for position, rate in enumerate(rates)}
    step, height = max(1, 912 // len(rates)), 600
    width = step * len(rates)
    hits = [[0] * width for _ in range(height)]
    for each in found:
        for number, x in enumerate(each["orbit"]):
            # samples of one orbit are spread over the width of its rate's column, so that bands look like bands
            left = column[each["growth_rate"]] * step + number // 4 % step
            top = min(height - 2, int((1 - x) * height))
            hits[top][left] += 1
            hits[top + 1][left] += 1
    rows = b"".join(b"\0" + bytes(255 - min(255, 60 * count) for count in line) for line in hits)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey
    with open(os.path.join(results, "bifurcation.png"), "wb") as file:
        file.write(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        )
    print(f"{len(found)} orbits of {len(rates)} growth rates in {width} x {height} points")


def workflow(environment, inputs, layout):
    """One task for each point, then one that draws them all."""
    small = Resources(cpu_request="100m", memory_request="64Mi", memory_limit="256Mi")
    run_point = script(resources=small, **environment.task)(simulate)
    run_draw = script(resources=small, **environment.task)(draw)
    with Workflow(entrypoint="sweep") as w:
        with DAG(name="sweep", fail_fast=False):  # one bad point must not stop the others
            points = run_point(name="simulate", **inputs.fan_out(output=layout.path))
            picture = run_draw(name="draw", arguments={"results": layout.root, "expected": len(inputs)})
            points >> picture
    return w


experiment = Experiment(
    name="logistic-map",
    inputs=Inputs(parameters={"growth_rate": linspace(2.5, 4.0, 76), "seed": [1, 2]}),
    layout="hive",  # growth_rate=3.82/seed=1
    image="python:3.12-slim",
    requires=[
        PersistentVolumeClaim("results", mount_path="/results", access_mode="ReadWriteMany", size="1Gi"),
        ConfigMap("settings", data={"TRANSIENT": "1000", "SAMPLES": "400"}),  # data, size, generate feed `provision`
        Secret("salt", generate=["SALT"]),
    ],
    workflow=workflow,
)
