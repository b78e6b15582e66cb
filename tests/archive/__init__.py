"""Member files and directories."""
