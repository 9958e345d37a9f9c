"""The built site to where others see it: a folder, a branch of a git repository, or a Space on Hugging Face."""
