"""The review page, on which a person can overrule the rules."""
