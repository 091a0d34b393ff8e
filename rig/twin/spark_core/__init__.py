"""The Spark Core that is not there: flash, bootloader, DFU and application as models, and the process that wires them up."""
