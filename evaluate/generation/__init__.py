"""Running methods: requests in, frames out, and checks of the frames."""
