"""The engine: takes a workflow from node to node until it ends."""
