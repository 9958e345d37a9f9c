"""Find the shots worth training on."""
