"""Camera poses, scale and disparity for every frame."""
