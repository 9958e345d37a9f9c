"""Results of methods: their schema, their ranking, and what a method is."""
