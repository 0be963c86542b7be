"""The commands that report and send nothing."""
