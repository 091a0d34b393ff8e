"""The virtual rack: the processes it is made of, how they start, die and are found again."""
