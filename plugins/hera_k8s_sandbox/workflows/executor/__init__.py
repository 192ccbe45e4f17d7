"""The executor: what happens in a pod of a workflow around its main container."""
