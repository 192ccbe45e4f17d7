"""Actions on ended or stored workflows: submit, retry, resubmit."""
