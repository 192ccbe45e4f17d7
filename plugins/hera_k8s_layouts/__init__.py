"""Built-in layout strategies: `hive`, `flat`, `hashed` and `template`."""
