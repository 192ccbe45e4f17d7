"""Vintages x boroughs, as a script of 0.1 writes it: a task for each vintage over its boroughs, and a fan-in.

From the directory above, where `hera.config` is:

    python old_style/boroughs.py
"""

from hera.workflows import DAG, ExistingVolume, Workflow, script

from environment import environment
from inputs import inputs
from layout import layout
from parser import parser

args = parser().get_parser().parse_args()
environment = environment(args)
layout = layout(f"{environment.persisted_volume.mount_path}/{{{{workflow.name}}}}")  # Argo fills it in
volume = ExistingVolume(
    name="city",
    claim_name=environment.persisted_volume.claim_name,
    mount_path=environment.persisted_volume.mount_path,
)


@script(image="python:3.12-slim", volumes=[volume])
def collect(vintage: int, borough: int, blocks: int, output: str):
    """Write the buildings of a borough in a year, which are made up, to OUTPUT/buildings.csv."""
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
    with open(os.path.join(output, "buildings.csv"), "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["building", "area_m2", "height_m"])
        table.writerows(buildings)
    print(f"vintage {vintage}, borough {borough}: {len(buildings)} buildings")


@script(image="python:3.12-slim", volumes=[volume])
def compare(results: str, expected: int):
    """Gather every buildings.csv below RESULTS into volumes.csv: a line each."""
    import csv
    import os

    rows = []
    for directory, _, names in sorted(os.walk(results)):
        if "buildings.csv" in names:
            point = dict(part.split("=", 1) for part in os.path.relpath(directory, results).split(os.sep))
            with open(os.path.join(directory, "buildings.csv"), newline="") as file:
                volumes = [float(row["area_m2"]) * float(row["height_m"]) for row in csv.DictReader(file)]
            rows.append([point["vintage"], point["borough"], len(volumes), round(sum(volumes))])
    if len(rows) != expected:
        raise SystemExit(f"{len(rows)} tables below {results}, expected {expected}")

    with open(os.path.join(results, "volumes.csv"), "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["vintage", "borough", "buildings", "volume_m3"])
        table.writerows(rows)
    print(f"{len(rows)} boroughs compared")


with Workflow(generate_name="boroughs-", entrypoint="city") as w:
    with DAG(name="city", fail_fast=False):  # one borough that fails must not stop the others
        compared = compare(
            name="compare",
            arguments={
                "results": layout.root,
                "expected": len(inputs.parameters.vintages) * len(inputs.parameters.boroughs),
            },
        )
        for vintage in inputs.parameters.vintages:
            collected = collect(
                name=f"collect-{layout.container_name_post_end(vintage)}",
                arguments={
                    "vintage": vintage,
                    "borough": "{{item}}",
                    "blocks": inputs.constants.blocks,
                    "output": layout.collect_output_dir(vintage, "{{item}}"),
                },
                with_items=inputs.parameters.boroughs,
            )
            collected >> compared

if __name__ == "__main__":
    w.create()
    print(f"submitted {w.name}")
