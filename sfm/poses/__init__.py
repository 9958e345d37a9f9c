"""Camera poses of a shot, from features to a verified trajectory."""
