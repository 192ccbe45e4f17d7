"""Options: declared as fields of settings classes, read from flags, variables, files and sites."""
