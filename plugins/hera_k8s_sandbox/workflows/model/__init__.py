"""The model: nodes, templates, artifacts and pods of a workflow."""
