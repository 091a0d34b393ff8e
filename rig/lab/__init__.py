"""The laboratory: places, acquisition, the virtual rack and the processes it is made of."""
