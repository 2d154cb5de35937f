"""What may be asked for as a job: one model per documented command, and the command line that it becomes."""
