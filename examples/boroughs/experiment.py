"""Vintages x boroughs: the buildings of each borough of a city are collected for several years, then compared.

Every point of the sweep has a directory of its own, `vintage=2012/borough=3`; one last task gathers them all.

    hera-k8s run --sandbox                              # on this machine, no cluster
    hera-k8s run --bind city=vcity-pvc                  # on a cluster, where the claim has this name
    hera-k8s run --sandbox --set vintage=2012 --set borough=1,2,3
"""

from hera.workflows import DAG, Resources, Workflow, script

from hera_k8s_kube import PersistentVolumeClaim
from hera_k8s_utils import Experiment, Inputs


def collect(vintage: int, borough: int, blocks: int, output: str) -> None:
    """Write the buildings of a borough in a year to OUTPUT/buildings.csv (whole or absent).

    They are made up, and always the same ones: in place of this loop stands whatever gets or computes yours.
    A block is built in some year, keeps its floor area, and gains a storey now and then.
    """
    import csv
    import os
    import random

    town = random.Random(borough)
    buildings = []
    for block in range(blocks):
        built, area, storeys = town.randint(1850, 2020), town.uniform(80, 600), town.randint(1, 7)
        if built <= vintage:
            height = 3.2 * (storeys + (vintage - built) // 60)
            buildings.append((f"{borough}-{block:04d}", round(area, 1), round(height, 1)))

    os.makedirs(output, exist_ok=True)
    unfinished = os.path.join(output, "buildings.csv.part")
    with open(unfinished, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["building", "area_m2", "height_m"])
        table.writerows(buildings)
    os.replace(unfinished, os.path.join(output, "buildings.csv"))
    print(f"vintage {vintage}, borough {borough}: {len(buildings)} buildings")


def compare(results: str, expected: int) -> None:
    """Gather every buildings.csv below RESULTS into volumes.csv: a line each, and what each vintage adds up to."""
    import csv
    import os

    volumes = {}
    for directory, _, names in os.walk(results):
        if "buildings.csv" not in names:
            continue
        parts = os.path.relpath(directory, results).split(os.sep)
        point = dict(part.split("=", 1) for part in parts)
        with open(os.path.join(directory, "buildings.csv"), newline="") as file:
            buildings = [float(row["area_m2"]) * float(row["height_m"]) for row in csv.DictReader(file)]
        volumes[int(point["vintage"]), int(point["borough"])] = (len(buildings), sum(buildings))
    if len(volumes) != expected:
        raise SystemExit(f"{len(volumes)} tables below {results}, expected {expected}")

    with open(os.path.join(results, "volumes.csv"), "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["vintage", "borough", "buildings", "volume_m3"])
        for (vintage, borough), (count, volume) in sorted(volumes.items()):
            table.writerow([vintage, borough, count, round(volume)])
    for vintage in sorted({vintage for vintage, _ in volumes}):
        count = sum(found[0] for (year, _), found in volumes.items() if year == vintage)
        volume = sum(found[1] for (year, _), found in volumes.items() if year == vintage)
        print(f"{vintage}: {count} buildings, {volume / 1e6:.2f} million m3")


def workflow(environment, inputs, layout):
    """One collecting task for each point, then one that compares what they found."""
    small = Resources(cpu_request="100m", memory_request="64Mi", memory_limit="256Mi")
    run_collect = script(resources=small, **environment.task)(collect)
    run_compare = script(resources=small, **environment.task)(compare)
    with Workflow(entrypoint="city") as w:
        with DAG(name="city", fail_fast=False):  # one borough that fails must not stop the others
            collected = run_collect(
                name="collect", **inputs.fan_out(output=layout.path, blocks=inputs.constants["blocks"])
            )
            compared = run_compare(name="compare", arguments={"results": layout.root, "expected": len(inputs)})
            collected >> compared
    return w


experiment = Experiment(
    name="boroughs",
    inputs=Inputs(
        parameters={"vintage": [2009, 2012, 2015, 2018], "borough": range(1, 10)},
        constants={"blocks": 200},
    ),
    layout="hive",  # vintage=2012/borough=3
    image="python:3.12-slim",
    requires=[PersistentVolumeClaim("city", mount_path="/city", access_mode="ReadWriteMany", size="1Gi")],
    workflow=workflow,
)
