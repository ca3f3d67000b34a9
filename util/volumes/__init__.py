"""A volume and its place in space; LR from HR; what is done to its voxels."""
