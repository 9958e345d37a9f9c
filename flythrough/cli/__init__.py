"""The command line, and the plots and pages that commands write."""
