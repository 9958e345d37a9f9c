"""External weights, the networks that several stages use, and the device they run on."""
