"""Select the shots worth training on."""
