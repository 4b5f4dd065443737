"""The commands, each as its arguments and a call of what does the work."""
