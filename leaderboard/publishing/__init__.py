"""Publishing the built site: to a folder, a branch of a git repository, or a Space on Hugging Face."""
