"""Board families: all that is only one kind's, with the same rooms inside."""
