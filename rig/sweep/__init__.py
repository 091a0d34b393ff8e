"""Every cut of an update on the model: what each leaves, found by starting only where something differs."""
