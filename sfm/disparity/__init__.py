"""A disparity map for every frame of a posed clip."""
