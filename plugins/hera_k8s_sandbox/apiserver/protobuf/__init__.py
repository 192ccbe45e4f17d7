"""Objects in the protobuf encoding of Kubernetes, which some clients send."""
