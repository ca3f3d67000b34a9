"""From a config and a model file to a super-resolved volume."""
