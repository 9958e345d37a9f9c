"""Running methods: requests in, frames out, and checks of what came out."""
